package main

import (
	"context"
	"fmt"
	"net/url"
)

type qualityCommand struct {
	clientFlags `embed:""`

	Project string `arg:"" help:"Short name of the project."`
	Classes bool   `help:"Each labeler class by class too."`
}

// agreedRow is how many of some objects are agreed.
type agreedRow struct {
	Objects int     `json:"objects"`
	Agreed  int     `json:"agreed"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
}

func (r agreedRow) String() string {
	if r.Objects == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f ±%.2f (n %d)", float64(r.Agreed)/float64(r.Objects), (r.High-r.Low)/2, r.Objects)
}

// qualityRow are a labeler's figures as the server tells them.
type qualityRow struct {
	Person    int64          `json:"person"`
	Name      string         `json:"name"`
	Class     int64          `json:"class,omitempty"`
	ClassName string         `json:"class_name,omitempty"`
	Answers   int            `json:"answers"`
	Approved  int            `json:"approved"`
	Amended   int            `json:"amended"`
	Rejected  int            `json:"rejected"`
	Reasons   map[string]int `json:"reasons"`
	Truth     agreedRow      `json:"truth"`
	Others    agreedRow      `json:"others"`
	Gold      agreedRow      `json:"gold"`
	GoldItems int            `json:"gold_items"`
	GoldScore *float64       `json:"gold_score,omitempty"`
	GoldLow   *float64       `json:"gold_low,omitempty"`
	GoldHigh  *float64       `json:"gold_high,omitempty"`
	MedianMS  *float64       `json:"median_ms,omitempty"`
	Paused    bool           `json:"paused"`
}

func (r qualityRow) gold() string {
	if r.GoldScore == nil || r.GoldLow == nil || r.GoldHigh == nil {
		return r.Gold.String()
	}
	return fmt.Sprintf("%.2f ±%.2f (n %d)", *r.GoldScore, (*r.GoldHigh-*r.GoldLow)/2, r.GoldItems)
}

func (c *qualityCommand) Run(ctx context.Context, std *streams) error {
	path := "/projects/" + url.PathEscape(c.Project) + "/quality"
	if c.Classes {
		path += "?classes=true"
	}
	const head = "LABELER\tCLASS\tANSWERS\tAS THEY WERE\tAMENDED\tSENT BACK\tWITH TRUTH\tWITH OTHERS\tGOLD\tMEDIAN"
	return printRows(ctx, &c.clientFlags, std, path, head, func(r qualityRow) string {
		name, class, median := r.Name, r.ClassName, "-"
		if r.Paused {
			name += " (paused)"
		}
		if r.Class == 0 {
			class = "all"
		}
		if r.MedianMS != nil {
			median = fmt.Sprintf("%.0f s", *r.MedianMS/1000)
		}
		return fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s", name, class, r.Answers, r.Approved, r.Amended, r.Rejected, r.Truth, r.Others, r.gold(), median)
	})
}
