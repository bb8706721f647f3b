package manifest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"fiducial/internal/manifest"
)

// runs hands out leaves, some at a time.
type runs struct {
	leaves [][]byte
	random *rand.Rand
}

func (r *runs) Next() ([]byte, error) {
	n := min(len(r.leaves), 1+r.random.IntN(5))
	run := bytes.Join(r.leaves[:n], nil)
	r.leaves = r.leaves[n:]
	return run, nil
}

// What only one version has, and what both have, make up each of the two, wherever the runs end.
func TestMergeAddsUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		var sides [2][][]byte
		want := [2][]int{}
		same := 0
		leaves := make([][]byte, random.IntN(60))
		for i := range leaves {
			sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
			leaves[i] = sum[:]
		}
		slices.SortFunc(leaves, bytes.Compare)
		for _, leaf := range leaves {
			switch random.IntN(3) {
			case 0:
				want[0] = append(want[0], len(sides[0]))
				sides[0] = append(sides[0], leaf)
			case 1:
				want[1] = append(want[1], len(sides[1]))
				sides[1] = append(sides[1], leaf)
			default:
				same++
				sides[0], sides[1] = append(sides[0], leaf), append(sides[1], leaf)
			}
		}
		merge := manifest.NewMerge(&runs{sides[0], random}, &runs{sides[1], random})
		got := [2][]int{}
		for {
			only, ok, err := merge.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			side := 0
			if only.Newer {
				side = 1
			}
			got[side] = append(got[side], only.Position)
		}
		if !slices.Equal(got[0], want[0]) || !slices.Equal(got[1], want[1]) || merge.Same() != same {
			t.Fatalf("seed %d: %v and %v, %d alike; want %v and %v, %d", seed, got[0], got[1], merge.Same(), want[0], want[1], same)
		}
	}
}

type torn struct{}

func (torn) Next() ([]byte, error) { return []byte("torn"), nil }

func TestMergeRefusesATornRun(t *testing.T) {
	t.Parallel()
	if _, _, err := manifest.NewMerge(torn{}, torn{}).Next(); err == nil {
		t.Error("half a leaf was taken for one")
	}
}
