package simulation

import "math/rand/v2"

// Choices are all that is random in a world: the numbers that were drawn at its
// beginning, and then step by step. A world is made again from them alone, and a
// step can be left out without another meaning of the steps that follow.
//
// 0 is always the mildest choice, so that lower numbers make a simpler story.
type Choices [][]int

// dice draw the choices of a world: from a seed, or, where there is none, from
// choices that were drawn before.
type dice struct {
	random *rand.Rand
	script Choices
	drawn  Choices
	place  int
}

func seeded(seed uint64) *dice {
	return &dice{random: rand.New(rand.NewPCG(seed, 1)), drawn: Choices{nil}}
}

func scripted(script Choices) *dice { return &dice{script: script, drawn: Choices{nil}} }

// next begins the next step; false: there is none.
func (d *dice) next() bool {
	if d.random == nil && len(d.drawn) >= len(d.script) {
		return false
	}
	d.drawn, d.place = append(d.drawn, nil), 0
	return true
}

// draw answers with a number from 0 to n-1.
func (d *dice) draw(n int) int {
	step, drawn := len(d.drawn)-1, 0
	switch {
	case n <= 1:
		return 0
	case d.random != nil:
		drawn = d.random.IntN(n)
	case step < len(d.script) && d.place < len(d.script[step]):
		drawn = d.script[step][d.place] % n
	}
	d.place++
	d.drawn[step] = append(d.drawn[step], drawn)
	return drawn
}

// chance is false for the mildest choice.
func (d *dice) chance(percent int) bool { return d.draw(100) >= 100-percent }

// seconds from least to most.
func (d *dice) between(least, most int) int { return least + d.draw(most-least+1) }

// pick answers with one of all; the first is the mildest.
func pick[T any](d *dice, all ...T) T { return all[d.draw(len(all))] }
