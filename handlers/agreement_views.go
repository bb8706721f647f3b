package handlers

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"fiducial/store"
	"fiducial/web"
)

// findingWords are what the findings of internal/agreement are called on pages.
var findingWords = map[string]string{
	"agreed": "all alike", "missed": "missed by some", "class": "classes differ", "loose": "loose boxes", "split": "needs splitting",
}

// figure writes a measure to three places.
func figure(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

// setting writes a score or a share as it was typed; nil is empty.
func setting(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func rulesForm(r store.AgreementRules) web.RulesFormView {
	return web.RulesFormView{
		LooseLimit: setting(&r.LooseLimit), AcceptAbove: setting(r.AcceptAbove), LookShare: setting(&r.LookShare),
		AskBelow: setting(r.AskBelow), OverlapMost: strconv.Itoa(r.OverlapMost),
	}
}

// typedRules are a project's rules as they were typed.
func typedRules(r *http.Request) web.RulesFormView {
	return web.RulesFormView{
		LooseLimit: r.PostFormValue("loose_limit"), AcceptAbove: r.PostFormValue("accept_above"), LookShare: r.PostFormValue("look_share"),
		AskBelow: r.PostFormValue("ask_below"), OverlapMost: r.PostFormValue("overlap_most"),
	}
}

// rulesOf reads typed rules; a number that is none is out of range. A form without them leaves them as they are.
func rulesOf(v web.RulesFormView) *store.AgreementRules {
	if v == (web.RulesFormView{}) {
		return nil
	}
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(text), ",", "."), 64)
		if err != nil {
			return math.NaN()
		}
		return n
	}
	score := func(text string) *float64 {
		if strings.TrimSpace(text) == "" {
			return nil
		}
		return new(number(text))
	}
	rules := store.AgreementRules{
		LooseLimit: number(v.LooseLimit), AcceptAbove: score(v.AcceptAbove), LookShare: number(v.LookShare), AskBelow: score(v.AskBelow), OverlapMost: -1,
	}
	if n, err := strconv.Atoi(strings.TrimSpace(v.OverlapMost)); err == nil {
		rules.OverlapMost = n
	}
	return &rules
}

// rulesText says in a sentence what becomes of answers that agree.
func rulesText(r store.AgreementRules) string {
	said := "a reviewer decides everything"
	if r.AcceptAbove != nil {
		said = fmt.Sprintf("accepted from a score of %s, but for a share of %s", setting(r.AcceptAbove), setting(&r.LookShare))
	}
	if r.AskBelow != nil {
		said += fmt.Sprintf("; below %s another labeler is asked, up to %d answers", setting(r.AskBelow), r.OverlapMost)
	}
	return said
}
