package manifest_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"fiducial/internal/manifest"
)

// everything is a recipe that says all that one can say.
const everything = `projects:
  - steel
  - pipes
seed: 42
shares:
  training: 0.7
  validation: 0.125
  test: 0.175
filter:
  sources:
    - Mill 3
    - "True"
  classes:
    - "scratch: long"
    - pit
  captured_from: 2026-01-31
  captured_before: 2026-06-30T12:30:00Z
  definition: 2
  definitions:
    pit: 3
    "rolled-in \"scale\"": 0
group: "metadata:coil"
strata:
  - class
  - source
sizes:
  validation: 20
  test: 40
retention:
  test: allow
  reason: "The mill keeps \"everything\" for a year; the set is for one month."
`

func TestRecipes(t *testing.T) {
	t.Parallel()
	const steel = "projects: [steel]\n"
	cases := []struct{ name, file, err string }{
		{"whole", "projects: [steel, pipes]\nseed: 42\nshares: {training: 0.7, validation: 0.125, test: 0.175}\n", ""},
		{"everything", everything, ""},
		{"kept out", steel + "filter: {not_sources: [mill-4]}", ""},
		{"defaults", steel, ""},
		{"no validation", steel + "shares:\n  training: 0.9\n  test: 0.1", ""},
		{"unknown key", steel + "seeds: 1", `[2:1] unknown field "seeds"`},
		{"repeated key", steel + "seed: 1\nseed: 2", `[3:1]`},
		{"unknown share", steel + "shares:\n  training: 1\n  trains: 0", `[4:3] unknown field "trains"`},
		{"no number", steel + "shares:\n  training: much", "much is not a share"},
		{"four decimals", steel + "shares:\n  training: 0.1234", "at most three decimals"},
		{"sum", steel + "shares: {training: 0.5, test: 0.4}", "add up to 0.9"},
		{"negative", steel + "shares: {training: 1, test: 0.5, validation: -0.5}", "between 0 and 1"},
		{"no project", "seed: 1", "at least one project"},
		{"empty", "", "at least one project"},
		{"twice", "projects: [steel, steel]", "named twice"},
		{"wrong type", "projects: 7", "[1:11]"},
		{"broken", "projects: [steel", "[1:"},
		{"unknown filter", steel + "filter:\n  source: [a]", `[3:3] unknown field "source"`},
		{"source twice", steel + "filter: {sources: [a, a]}", "names a twice"},
		{"source in and out", steel + "filter: {sources: [a], not_sources: [a]}", "names sources and not_sources"},
		{"empty class", steel + "filter: {classes: ['']}", "filter.classes is empty"},
		{"no day", steel + "filter: {captured_from: yesterday}", "yesterday is not a time"},
		{"never", steel + "filter: {captured_from: 2026-02-01, captured_before: 2026-02-01}", "nothing would get in"},
		{"definition below 0", steel + "filter: {definition: -1}", "choose the version of a definition"},
		{"group", steel + "group: coil", "no group key"},
		{"no metadata key", steel + "group: 'metadata:'", "no group key"},
		{"strata", steel + "strata: [class, camera]", `"camera" is no stratum key`},
		{"stratum twice", steel + "strata: [class, class]", "names class twice"},
		{"size 0", steel + "sizes: {test: 0}", "0 is not a size"},
		{"size of no share", steel + "shares: {training: 1}\nsizes: {test: 4}", "whose share is 0"},
		{"rule", steel + "retention: {test: maybe}", "write refuse or allow"},
		{"no reason", steel + "retention: {test: allow}", "say why"},
		{"reason alone", steel + "retention: {reason: we may}", "stands without"},
		{"long reason", steel + "retention: {test: allow, reason: " + strings.Repeat("x", 501) + "}", "at most 500"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			recipe, err := manifest.ParseYAML([]byte(c.file))
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("got %v, want %q", err, c.err)
			}
			if c.err == "" {
				readsBack(t, recipe)
			}
		})
	}
}

func readsBack(t *testing.T, recipe manifest.Recipe) {
	t.Helper()
	document, err := json.Marshal(recipe)
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := manifest.ParseJSON(document)
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	fromYAML, err := manifest.ParseYAML([]byte(recipe.YAML()))
	if err != nil {
		t.Fatalf("%s: %v", recipe.YAML(), err)
	}
	for _, again := range []manifest.Recipe{fromJSON, fromYAML} {
		if !reflect.DeepEqual(again, recipe) {
			t.Errorf("%+v came back as %+v", recipe, again)
		}
	}
}

func TestTheFileIsTheOneThatWasWritten(t *testing.T) {
	t.Parallel()
	recipe, err := manifest.ParseYAML([]byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	if got := recipe.YAML(); got != everything {
		t.Errorf("got\n%s", got)
	}
}

// What versions were frozen by before there was more to say has the form that it always had.
func TestOldRecipesKeepTheirForm(t *testing.T) {
	t.Parallel()
	const old = `{"projects":["steel"],"seed":1,"shares":{"training":0.8,"validation":0.1,"test":0.1}}`
	for _, file := range []string{
		"projects: [steel]",
		"projects: [steel]\nfilter: {}\ngroup: group\nstrata: []\nsizes: {}\nretention: {test: refuse}",
	} {
		recipe, err := manifest.ParseYAML([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if document, err := json.Marshal(recipe); err != nil || string(document) != old {
			t.Errorf("%s: %s, %v", file, document, err)
		}
	}
}

func FuzzParseYAML(f *testing.F) {
	f.Add([]byte("projects: [steel]\nseed: 1\nshares: {training: 1}"))
	f.Add([]byte("projects: !0 0"))
	f.Add([]byte("projects: [a]\nfilter: {sources: [x], captured_from: 2026-01-31, definitions: {pit: 2}}\nstrata: [class]\nsizes: {test: 4}\nretention: {test: allow, reason: x}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		recipe, err := manifest.ParseYAML(file)
		if err != nil {
			return
		}
		if recipe.Validate() != nil {
			t.Fatal("an invalid recipe was taken")
		}
		readsBack(t, recipe)
	})
}
