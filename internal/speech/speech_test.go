package speech_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/speech"
)

// reference opens a file of the test data that an outside scorer was run on.
func reference(t *testing.T, name string) *os.File {
	t.Helper()
	dir := cmp.Or(os.Getenv("FIDUCIAL_TEST_DATA"), filepath.Join("..", "..", "..", "shared", "data"))
	file, err := os.Open(filepath.Join(dir, "reference", "speech", name))
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("no test data: set FIDUCIAL_TEST_DATA: %v", err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return file
}

func TestReferenceScores(t *testing.T) {
	t.Parallel()
	var expected map[string]struct {
		Utterances         int
		WER, MER, WIL, CER float64
		WordErrors         int `json:"word_errors"`
		CharErrors         int `json:"char_errors"`
	}
	if err := json.NewDecoder(reference(t, "expected.json")).Decode(&expected); err != nil {
		t.Fatal(err)
	}
	for name, want := range expected {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scorer := speech.Scorer{Characters: true}
			var sum speech.Counts
			pairs := 0
			lines := bufio.NewScanner(reference(t, name+".pairs.jsonl"))
			for ; lines.Scan(); pairs++ {
				var pair struct {
					Reference, Hypothesis string
					WordErrors            int `json:"word_errors"`
					WER, CER              float64
				}
				if err := json.Unmarshal(lines.Bytes(), &pair); err != nil {
					t.Fatal(err)
				}
				got := scorer.Score(pair.Reference, pair.Hypothesis)
				sum.Add(got)
				if got.Errors() != pair.WordErrors || !near(got.WER(), pair.WER) || !near(got.CER(), pair.CER) {
					t.Errorf("%q against %q: %+v, want %+v", pair.Hypothesis, pair.Reference, got, pair)
				}
			}
			if pairs != want.Utterances || sum.Errors() != want.WordErrors || sum.CharacterErrors != want.CharErrors {
				t.Errorf("%d pairs, %+v, want %+v", pairs, sum, want)
			}
			for _, m := range [][2]float64{{sum.WER(), want.WER}, {sum.MER(), want.MER}, {sum.WIL(), want.WIL}, {sum.CER(), want.CER}} {
				if !near(m[0], m[1]) {
					t.Errorf("%v, want %v", m[0], m[1])
				}
			}
		})
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-12 }

func TestTies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reference, hypothesis string
		want                  string // hits, substitutions, deletions, insertions
	}{
		{"", "", "0 0 0 0"},
		{"a", "", "0 0 1 0"},
		{"", "a b", "0 0 0 2"},
		{"a b", "b c", "0 2 0 0"}, // not a deletion, a match and an insertion: at the end a substitution goes first
		{"b c", "a b", "1 0 1 1"}, // from the end a deletion goes before a substitution
		{"a b c", "a x b c", "3 0 0 1"},
		{"a a", "a", "1 0 1 0"},
		{"one two three", "two", "1 0 2 0"},
		{"x a b y", "x b c y", "2 2 0 0"},
	} {
		var scorer speech.Scorer
		got := scorer.Score(c.reference, c.hypothesis)
		if text := fmt.Sprint(got.Hits, got.Substitutions, got.Deletions, got.Insertions); text != c.want {
			t.Errorf("%q against %q: %s, want %s", c.hypothesis, c.reference, text, c.want)
		}
	}
}

// texts makes texts of at least a third of the longest length.
func texts(longest int) *rapid.Generator[[]string] {
	return rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "dé", "e"}), longest/3, longest)
}

// Whatever the lengths, the ways of counting and of aligning agree, and have as few errors as the plain recurrence.
func TestAlignmentsAgree(t *testing.T) {
	t.Parallel()
	var scorer speech.Scorer
	scorer.Characters = true
	rapid.Check(t, func(t *rapid.T) {
		longest := rapid.SampledFrom([]int{2, 6, 60, 300}).Draw(t, "longest")
		ref, hyp := texts(longest).Draw(t, "reference"), texts(longest).Draw(t, "hypothesis")
		want := plainCounts(ref, hyp)
		got := scorer.Score(strings.Join(ref, " "), strings.Join(hyp, "  "))
		got.Characters, want.CharacterErrors = 0, got.CharacterErrors
		if got != want {
			t.Fatalf("score %+v, want %+v", got, want)
		}
		if d := plainDistance([]rune(strings.Join(ref, " ")), []rune(strings.Join(hyp, " "))); d != got.CharacterErrors {
			t.Fatalf("%d character errors, want %d", got.CharacterErrors, d)
		}
		var aligned speech.Counts
		i, j := 0, 0
		for _, s := range speech.Align(ref, hyp) {
			switch s.Op {
			case speech.Match, speech.Substitution:
				if s.Reference != i || s.Hypothesis != j || (ref[i] == hyp[j]) != (s.Op == speech.Match) {
					t.Fatalf("step %+v at %d, %d", s, i, j)
				}
				i, j = i+1, j+1
				if s.Op == speech.Match {
					aligned.Hits++
				} else {
					aligned.Substitutions++
				}
			case speech.Deletion:
				if s.Reference != i || s.Hypothesis != -1 {
					t.Fatalf("step %+v at %d, %d", s, i, j)
				}
				i++
				aligned.Deletions++
			case speech.Insertion:
				if s.Hypothesis != j || s.Reference != -1 {
					t.Fatalf("step %+v at %d, %d", s, i, j)
				}
				j++
				aligned.Insertions++
			}
		}
		aligned.CharacterErrors = got.CharacterErrors
		if aligned != want || i != len(ref) || j != len(hyp) {
			t.Fatalf("aligned %+v, want %+v", aligned, want)
		}
	})
}

// plainCounts fills the whole matrix and goes back by the documented order.
func plainCounts(ref, hyp []string) (c speech.Counts) {
	for len(ref) > 0 && len(hyp) > 0 && ref[0] == hyp[0] {
		ref, hyp, c.Hits = ref[1:], hyp[1:], c.Hits+1
	}
	for len(ref) > 0 && len(hyp) > 0 && ref[len(ref)-1] == hyp[len(hyp)-1] {
		ref, hyp, c.Hits = ref[:len(ref)-1], hyp[:len(hyp)-1], c.Hits+1
	}
	d := matrix(ref, hyp)
	for i, j := len(ref), len(hyp); i > 0 || j > 0; {
		switch {
		case i > 0 && d[i][j] == d[i-1][j]+1:
			c.Deletions++
			i--
		case i > 0 && j > 0 && ref[i-1] != hyp[j-1] && d[i][j] == d[i-1][j-1]+1:
			c.Substitutions++
			i, j = i-1, j-1
		case j > 0 && d[i][j] == d[i][j-1]+1:
			c.Insertions++
			j--
		default:
			c.Hits++
			i, j = i-1, j-1
		}
	}
	return c
}

func plainDistance[T comparable](a, b []T) int { return matrix(a, b)[len(a)][len(b)] }

func matrix[T comparable](a, b []T) [][]int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		for j := range d[i] {
			switch {
			case i == 0:
				d[i][j] = j
			case j == 0:
				d[i][j] = i
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = 1 + min(d[i-1][j], d[i][j-1], d[i-1][j-1])
			}
		}
	}
	return d
}

func TestMeasuresWithoutWords(t *testing.T) {
	t.Parallel()
	var none speech.Counts
	for _, v := range []float64{none.WER(), none.MER(), none.WIL(), none.CER()} {
		if !math.IsNaN(v) {
			t.Errorf("%v of nothing", v)
		}
	}
	silence := speech.Counts{Insertions: 2}
	if !math.IsNaN(silence.WER()) || silence.MER() != 1 || silence.WIL() != 1 {
		t.Errorf("%v %v %v", silence.WER(), silence.MER(), silence.WIL())
	}
}

// What a name does never changes: a failure here wants a new name, not another expectation.
func TestNormalizersNeverChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, asIs, basic, lenient string }{
		{"", "", "", ""},
		{"hello world", "hello world", "hello world", "hello world"},
		{" Hello,\tWorld! ", "Hello, World!", "hello world", "hello world"},
		{"It’s a well‑known mother-in-law's - really", "It’s a well‑known mother-in-law's - really", "it's a well-known mother-in-law's really", "it's a well-known mother-in-law's really"},
		{"'quoted' rock 'n' roll", "'quoted' rock 'n' roll", "quoted rock n roll", "quoted rock n roll"},
		{"1,000.50 at 3.", "1,000.50 at 3.", "1,000.50 at 3", "1,000.50 at 3"},
		{"Um, [noise] the <unk> {laugh} uh-huh HMM end [open", "Um, [noise] the <unk> {laugh} uh-huh HMM end [open", "um noise the unk laugh uh-huh hmm end open", "the end open"},
		{"CAFÉ ﬁne Straße", "CAFÉ ﬁne Straße", "café fine straße", "café fine straße"},
		{"50% & more", "50% & more", "50 more", "50 more"},
	} {
		for name, want := range map[string]string{"as-is-1": c.asIs, "basic-1": c.basic, "lenient-1": c.lenient} {
			n, ok := speech.NormalizerOf(name)
			if got := n.Normalize(c.text); !ok || got != want {
				t.Errorf("%s of %q: %q, want %q", name, c.text, got, want)
			}
		}
	}
	if _, ok := speech.NormalizerOf("basic"); ok {
		t.Error("a name without its number")
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("Um, [noise] It’s 1,000\u00a0ﬁne <")
	f.Fuzz(func(t *testing.T, text string) {
		for _, n := range speech.Normalizers() {
			once := n.Normalize(text)
			if twice := n.Normalize(once); n.Name != "lenient-1" && twice != once {
				t.Errorf("%s: %q, then %q", n.Name, once, twice)
			}
			if strings.Join(strings.Fields(once), " ") != once {
				t.Errorf("%s leaves space: %q", n.Name, once)
			}
		}
	})
}

func TestReadPairsSaysWhereAndWhy(t *testing.T) {
	t.Parallel()
	const good = `{"utt_id":"a","reference":"one","hypothesis":""}` + "\n\n"
	for text, want := range map[string]string{
		good + `{"id":"b","reference":"two","hypothesis":"two"}`: "",
		good + `{"reference":"two"}`:                             `line 3: there is no "hypothesis"`,
		good + `{"hypothesis":"two"}`:                            `line 3: there is no "reference"`,
		good + `{"reference":`:                                   "line 3: not a JSON object",
		good + `{"reference":1,"hypothesis":""}`:                 "line 3: not a JSON object",
	} {
		var ids []string
		err := speech.ReadPairs(strings.NewReader(text), func(p speech.Pair) error {
			ids = append(ids, fmt.Sprint(p.Line, p.ID))
			return nil
		})
		if want == "" && (err != nil || fmt.Sprint(ids) != "[1a 3b]") || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%q: %v, %v", text, ids, err)
		}
	}
}

// BenchmarkWER counts the errors of 1,000,000 pairs of 12 words, of which the recognizer got four in five right.
func BenchmarkWER(b *testing.B) {
	const pairs = 1_000_000
	random := rand.New(rand.NewPCG(1, 2))
	vocabulary := make([]string, 20_000)
	for i := range vocabulary {
		vocabulary[i] = fmt.Sprintf("%.*s%d", 2+i%7, "abcdefghij", i%977)
	}
	said, heard := make([]string, 10_000), make([]string, 10_000)
	for i := range said {
		var ref, hyp []string
		for range 12 {
			word := vocabulary[random.IntN(len(vocabulary))]
			ref = append(ref, word)
			switch random.IntN(15) {
			case 0:
			case 1:
				hyp = append(hyp, word, vocabulary[random.IntN(len(vocabulary))])
			case 2:
				hyp = append(hyp, vocabulary[random.IntN(len(vocabulary))])
			default:
				hyp = append(hyp, word)
			}
		}
		said[i], heard[i] = strings.Join(ref, " "), strings.Join(hyp, " ")
	}
	var sum speech.Counts
	before := processorTime(b)
	for b.Loop() {
		var scorer speech.Scorer
		sum = speech.Counts{}
		for i := range pairs {
			sum.Add(scorer.Score(said[i%len(said)], heard[i%len(said)]))
		}
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.Sys)/1e6, "MB")
	b.ReportMetric((processorTime(b)-before)/float64(b.N), "cpu-s")
	if sum.Errors() == 0 {
		b.Fatal("no errors")
	}
}

// processorTime is what this process has used of it, in seconds: it does not count what else a busy machine does.
func processorTime(b *testing.B) float64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}
