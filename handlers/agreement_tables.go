package handlers

import (
	"strconv"

	"fiducial/internal/agreement"
)

// agreementTables are the tables of the page as files. Names says that one names labelers or items.
var agreementTables = map[string]struct {
	names bool
	head  string
	rows  func(askedAgreement) [][]string
}{
	"measures": {false, "measure,value,low,high,n", measureRows},
	"words":    {false, "measure,value,low,high,n", wordRows},
	"scores":   {false, "from,to,items", scoreRows},
	"classes":  {false, "class,votes,votes_low,votes_high,votes_n,truth,truth_low,truth_high,truth_n,iou,iou_low,iou_high,iou_n", classRows},
	"votes":    {false, "one,other,count,share,low,high,n", func(a askedAgreement) [][]string { return confusionRows(a, a.Votes) }},
	"truth":    {false, "truth,said,count,share,low,high,n", func(a askedAgreement) [][]string { return confusionRows(a, a.Truth) }},
	"labelers": {true, "labeler,answers,others,others_low,others_high,others_n,truth,truth_low,truth_high,truth_n,iou,iou_low,iou_high,iou_n,reliability", labelerRows},
	"pairs":    {true, "one,two,kappa,kappa_low,kappa_high,kappa_n,share,share_low,share_high,share_n,iou,iou_low,iou_high,iou_n", pairRows},
	"differ":   {true, "item,key,majority,likely,probability,tied", differRows},
}

// exact writes a measure with all that it has.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// columns are value, interval and sample size; empty but for the last where there is no value.
func columns(e agreement.Estimate) []string {
	n := strconv.Itoa(e.N)
	if !e.Defined {
		return []string{"", "", "", n}
	}
	return []string{exact(e.Value), exact(e.Low), exact(e.High), n}
}

func row(cells []string, estimates ...agreement.Estimate) []string {
	for _, e := range estimates {
		cells = append(cells, columns(e)...)
	}
	return cells
}

func measureRows(a askedAgreement) (rows [][]string) {
	for _, m := range a.measures() {
		rows = append(rows, row([]string{m.key}, m.Estimate))
	}
	return rows
}

func wordRows(a askedAgreement) (rows [][]string) {
	for _, m := range a.wordMeasures() {
		rows = append(rows, row([]string{m.key}, m.Estimate))
	}
	return rows
}

func scoreRows(a askedAgreement) (rows [][]string) {
	for i, n := range a.Histogram {
		bins := float64(len(a.Histogram))
		rows = append(rows, []string{exact(float64(i) / bins), exact(float64(i+1) / bins), strconv.Itoa(n)})
	}
	return rows
}

func classRows(a askedAgreement) (rows [][]string) {
	refs := classRefs(a.classes)
	for _, c := range a.Classes {
		rows = append(rows, row([]string{refs.of(c.Class).Name}, c.Votes, c.Truth, c.IoU))
	}
	return rows
}

func confusionRows(a askedAgreement, c agreement.Confusion) (rows [][]string) {
	refs := classRefs(a.classes)
	for _, cell := range c.Cells {
		rows = append(rows, row([]string{refs.of(cell.Class).Name, refs.of(cell.Said).Name, strconv.Itoa(cell.Count)}, cell.Rate))
	}
	return rows
}

func labelerRows(a askedAgreement) (rows [][]string) {
	for _, l := range a.Labelers {
		rows = append(rows, append(row([]string{a.Names[l.Labeler], strconv.Itoa(l.Answers)}, l.Others, l.Truth, l.OthersIoU), exact(l.Accuracy)))
	}
	return rows
}

func pairRows(a askedAgreement) (rows [][]string) {
	for _, p := range a.Pairs {
		rows = append(rows, row([]string{a.Names[p.One], a.Names[p.Two]}, p.Kappa, p.Share, p.IoU))
	}
	return rows
}

func differRows(a askedAgreement) (rows [][]string) {
	refs := classRefs(a.classes)
	for _, d := range a.Differ {
		rows = append(rows, []string{
			strconv.FormatInt(d.Item, 10), d.Name, refs.of(d.Majority).Name, refs.of(d.Likely).Name, exact(d.Probability), strconv.FormatBool(d.Tied),
		})
	}
	return rows
}
