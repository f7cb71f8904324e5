package simulation

import "slices"

// Shrink makes the story of a violation short: it leaves out steps, and draws lower
// numbers, as long as the same rule is broken. tries bounds how many worlds it plays.
func Shrink(choices Choices, rule string, tries int) Choices {
	s := shrinker{rule: rule, tries: tries, best: choices}
	for size := max(1, len(choices)/2); ; size = max(1, size/2) {
		s.leaveOut(size)
		if size == 1 {
			break
		}
	}
	for before := -1; before != weight(s.best) && s.tries > 0; {
		before = weight(s.best)
		s.lower()
		s.leaveOut(1)
	}
	return s.best
}

type shrinker struct {
	rule  string
	tries int
	best  Choices
}

// try takes choices that break the same rule: as they were drawn, without what
// nothing asked for.
func (s *shrinker) try(choices Choices) bool {
	if s.tries <= 0 {
		return false
	}
	s.tries--
	outcome := play(scripted(choices), false)
	if outcome.Failed == nil || outcome.Failed.Rule != s.rule || weight(outcome.Choices) >= weight(s.best) {
		return false
	}
	s.best = outcome.Choices
	return true
}

// weight is what gets less: steps, then numbers, then their sum.
func weight(choices Choices) int {
	total := 0
	for _, step := range choices {
		total += 1000
		for _, n := range step {
			total += 1 + n
		}
	}
	return total
}

// leaveOut tries to do without so many steps at a time, from the last on. The first
// entry is no step: it is how the world begins.
func (s *shrinker) leaveOut(size int) {
	for end := len(s.best); end > 1; {
		begin := max(1, end-size)
		without := slices.Concat(s.best[:begin:begin], s.best[min(end, len(s.best)):])
		s.try(without)
		end = min(begin, len(s.best))
	}
}

// lower tries to draw less, number by number.
func (s *shrinker) lower() {
	for i := 0; i < len(s.best); i++ {
		for j := 0; j < len(s.best[i]); j++ {
			if s.best[i][j] == 0 || s.set(i, j, 0) {
				continue
			}
			for n := s.best[i][j] / 2; n > 0 && i < len(s.best) && j < len(s.best[i]) && n < s.best[i][j]; n /= 2 {
				if s.set(i, j, n) || !s.set(i, j, s.best[i][j]-1) {
					break
				}
			}
		}
	}
}

func (s *shrinker) set(i, j, n int) bool {
	changed := slices.Clone(s.best)
	changed[i] = slices.Clone(changed[i])
	changed[i][j] = n
	return s.try(changed)
}
