package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"k8s.io/apimachinery/pkg/types"
)

// Etcd is what the API server stores its objects in, reached behind its back: no
// admission, no validation, no authorization. A key is that of an object of ours.
type Etcd struct{ url string }

// Etcd of the cluster.
func (c *Cluster) Etcd() Etcd { return Etcd{c.environment.ControlPlane.Etcd.URL.String()} }

// Key is where an object of a kind of ours is stored, by the plural of the kind.
func Key(resource string, object types.NamespacedName) string {
	return "/registry/strata.dev/" + resource + "/" + object.String()
}

// keyValue is a message of etcd's own API, in which bytes are base64.
type keyValue struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value,omitempty"`
}

// Get is what is stored under a key; an error where nothing is.
func (e Etcd) Get(ctx context.Context, key string) ([]byte, error) {
	var found struct {
		Values []keyValue `json:"kvs"`
	}
	if err := e.call(ctx, "range", keyValue{Key: []byte(key)}, &found); err != nil {
		return nil, err
	}
	if len(found.Values) != 1 {
		return nil, fmt.Errorf("etcd has %d values under %s", len(found.Values), key)
	}
	return found.Values[0].Value, nil
}

// Put stores a value, whatever is there.
func (e Etcd) Put(ctx context.Context, key string, value []byte) error {
	return e.call(ctx, "put", keyValue{Key: []byte(key), Value: value}, nil)
}

// Delete removes all from one key up to, and without, another at once.
func (e Etcd) Delete(ctx context.Context, from, end string) error {
	return e.call(ctx, "deleterange", map[string][]byte{"key": []byte(from), "range_end": []byte(end)}, nil)
}

// call asks by JSON, which etcd answers beside gRPC.
func (e Etcd) call(ctx context.Context, method string, asked, answer any) error {
	body, err := json.Marshal(asked)
	if err != nil {
		return fmt.Errorf("ask etcd for %s: %w", method, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/v3/kv/"+method, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask etcd for %s: %w", method, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask etcd for %s: %w", method, err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read what etcd said to %s: %w", method, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask etcd for %s: %s: %q", method, response.Status, said)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(said, answer); err != nil {
		return fmt.Errorf("read what etcd said to %s: %w", method, err)
	}
	return nil
}
