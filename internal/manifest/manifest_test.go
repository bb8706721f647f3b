package manifest_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/manifest"
)

// Frozen versions stand on these bytes: a change here breaks every version that exists.
func TestCanonicalFormNeverChanges(t *testing.T) {
	t.Parallel()
	line := manifest.Line{
		Item: 7, Key: "cam \"1\"\\é\n/0001.jpg", Media: []byte{0, 0x1f, 0xff}, Width: 200, Height: 100, Split: manifest.Test,
		Boxes: []manifest.Box{
			{Class: "scratch", Definition: 2, X: 0.1, Y: 1e21, W: 1. / 3, H: 200, Rotation: math.Copysign(0, -1)},
			{Class: "pit", X: -1, Crowd: true},
		},
	}
	const want = `{"line":1,"item":7,"key":"cam \"1\"\\é\u000a/0001.jpg","media":"001fff","width":200,"height":100,"split":"test","boxes":[` +
		`{"class":"scratch","definition":2,"x":0.1,"y":1000000000000000000000,"w":0.3333333333333333,"h":200,"rotation":0,"crowd":false},` +
		`{"class":"pit","definition":0,"x":-1,"y":0,"w":0,"h":0,"rotation":0,"crowd":true}]}`
	got := line.AppendCanonical(nil)
	if string(got) != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if !json.Valid(got) {
		t.Error("not JSON")
	}
	leaf := manifest.LeafOf(bytes.Repeat([]byte{1}, 32), got)
	if hex := hex.EncodeToString(leaf[:]); hex != "1633f1d88db805ebd48310c5bf14e0fa8e6f8e5001b3863730109da48f142e26" {
		t.Errorf("leaf %s", hex)
	}
	if split := (manifest.Shares{Training: 800, Validation: 100, Test: 100}).Assign(1, "group:1"); split != manifest.Test {
		t.Errorf("group:1 falls on %s", split)
	}
}

func lines() *rapid.Generator[manifest.Line] {
	number := rapid.Float64Range(-1e6, 1e6)
	return rapid.Custom(func(t *rapid.T) manifest.Line {
		return manifest.Line{
			Item: rapid.Int64Min(1).Draw(t, "item"), Key: rapid.String().Draw(t, "key"),
			Media: rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "media"), Width: rapid.IntRange(0, 9000).Draw(t, "width"),
			Split: rapid.SampledFrom(manifest.Splits()).Draw(t, "split"),
			Boxes: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) manifest.Box {
				return manifest.Box{
					Class: rapid.StringN(1, 9, -1).Draw(t, "class"), X: number.Draw(t, "x"), Y: number.Draw(t, "y"),
					W: number.Draw(t, "w"), H: number.Draw(t, "h"), Crowd: rapid.Bool().Draw(t, "crowd"),
				}
			}), 0, 4).Draw(t, "boxes"),
		}
	})
}

func hashOf(t *rapid.T, leaves []manifest.Leaf) []byte {
	var sum manifest.Sum
	for _, leaf := range slices.SortedFunc(slices.Values(leaves), func(a, b manifest.Leaf) int { return bytes.Compare(a[:], b[:]) }) {
		if err := sum.Add(leaf); err != nil {
			t.Fatal(err)
		}
	}
	return sum.Hash()
}

func salted(n int) []byte {
	salt := make([]byte, 32)
	salt[0], salt[1] = byte(n), byte(n>>8)
	return salt
}

func TestHashKnowsNoOrderAndMissesNoChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.SliceOfN(lines(), 1, 20).Draw(t, "lines")
		leaves := make([]manifest.Leaf, len(version))
		for i := range version {
			leaves[i] = manifest.LeafOf(salted(i), version[i].AppendCanonical(nil))
		}
		hash := hashOf(t, leaves)
		if !bytes.Equal(hash, hashOf(t, rapid.Permutation(leaves).Draw(t, "order"))) {
			t.Fatal("the order of the lines changes the hash")
		}
		i := rapid.IntRange(0, len(version)-1).Draw(t, "changed")
		if len(version[i].Boxes) == 0 {
			version[i].Boxes = []manifest.Box{{Class: "pit"}}
		} else {
			box := &version[i].Boxes[rapid.IntRange(0, len(version[i].Boxes)-1).Draw(t, "box")]
			box.X = math.Nextafter(box.X, math.Inf(1))
		}
		leaves[i] = manifest.LeafOf(salted(i), version[i].AppendCanonical(nil))
		if bytes.Equal(hash, hashOf(t, leaves)) {
			t.Fatal("a changed box leaves the hash as it was")
		}
	})
}

func TestSumRefusesWhatIsUnsorted(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]manifest.Leaf{"descending": {1}, "twice": {2}} {
		var sum manifest.Sum
		if err := sum.Add(manifest.Leaf{2}); err != nil {
			t.Fatal(err)
		}
		if err := sum.Add(second); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestGroupsStayTogetherAndSharesAreKept(t *testing.T) {
	t.Parallel()
	shares := manifest.Shares{Training: 700, Validation: 200, Test: 100}
	moved := manifest.Shares{Training: 600, Validation: 300, Test: 100}
	counts := map[manifest.Split]int{}
	const groups = 20_000
	for i := range groups {
		group := "group:" + string(rune('a'+i%26)) + strings.Repeat("x", i/26%9) + salt(i)
		side := shares.Assign(3, group)
		if side != shares.Assign(3, group) {
			t.Fatalf("%s falls on two sides", group)
		}
		if (side == manifest.Test) != (moved.Assign(3, group) == manifest.Test) {
			t.Fatalf("%s enters or leaves the test side although its share is the same", group)
		}
		counts[side]++
	}
	for split, n := range counts {
		if got, want := float64(n)/groups, float64(shares.Of(split))/1000; math.Abs(got-want) > 0.012 {
			t.Errorf("%s got %.3f of the groups, its share is %.3f", split, got, want)
		}
	}
	if one := (manifest.Shares{Training: 1000}); one.Assign(1, "a") != manifest.Training {
		t.Error("a share of 1 does not take everything")
	}
}

func salt(i int) string { return hex.EncodeToString(salted(i)[:2]) }

func BenchmarkLeaf(b *testing.B) {
	line := manifest.Line{Item: 7, Key: "cam1/0001.jpg", Media: make([]byte, 32), Width: 200, Height: 200, Split: manifest.Training, Boxes: []manifest.Box{
		{Class: "scratch", Definition: 1, X: 12.5, Y: 3.25, W: 100.0625, H: 44}, {Class: "pit", Definition: 3, X: 1, Y: 2, W: 3, H: 4},
	}}
	salt := make([]byte, 32)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = line.AppendCanonical(buf[:0])
		_ = manifest.LeafOf(salt, buf)
	}
}
