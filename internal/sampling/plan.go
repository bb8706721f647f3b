package sampling

// Risk is the chance, at most, that a plan takes a lot with more faulty items than its limit allows.
const Risk = 0.05

// Plan is a plan for taking a lot of items as a whole after a look at some: look at Size of its Lot items, drawn at
// random, and take the lot if at most Accept of them are faulty. If more than the share Limit of the lot is
// faulty, the chance of taking it is at most Risk.
type Plan struct {
	Lot    int
	Limit  float64 // 0 to 1
	Accept int
	Size   int
}

// PlanFor returns the plan with the smallest sample: single sampling by attributes with isolated lots, where the
// number of faulty items in the sample is hypergeometric (Schilling and Neubauer, Acceptance Sampling in Quality
// Control, chapter 5; a zero-acceptance plan for Accept 0). Where no sample would do, it is the whole lot.
func PlanFor(lot int, limit float64, accept int) Plan {
	plan := Plan{Lot: lot, Limit: limit, Accept: accept, Size: lot}
	faulty := int(limit*float64(lot)+1e-9) + 1 // the fewest that are more than the limit
	if faulty > lot || faulty <= accept {
		return plan
	}
	// seen[k] is the chance that k of the items drawn so far are faulty.
	seen := make([]float64, accept+1)
	seen[0] = 1
	for drawn := range lot {
		rest := float64(lot - drawn)
		for k := accept; k >= 0; k-- {
			seen[k] *= 1 - float64(faulty-k)/rest
			if k > 0 {
				seen[k] += seen[k-1] * float64(faulty-k+1) / rest
			}
		}
		if sum(seen) <= Risk {
			plan.Size = drawn + 1
			return plan
		}
	}
	return plan
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// Verdict is what a plan says of a lot so far.
type Verdict int

// The verdicts. Open asks for more looks.
const (
	Open Verdict = iota
	Take
	Refuse
)

// Verdict judges by how many of the sample were looked at and how many of those were faulty. More faulty items
// than the plan accepts refuse the lot at once.
func (p Plan) Verdict(looked, faulty int) Verdict {
	switch {
	case faulty > p.Accept:
		return Refuse
	case looked >= p.Size:
		return Take
	}
	return Open
}
