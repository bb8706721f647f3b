package handlers

import (
	"fmt"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// batchNotice says what a notice about a batch tells. Labelers are led to their queue: the batch's page is not theirs.
func batchNotice(n store.Notice, role access.Role, v web.NoticeView) web.NoticeView {
	name := "A batch"
	if n.Batch > 0 {
		name = batchName(n.Batch)
	}
	v.Href, v.Act = fmt.Sprintf("/batches/%d", n.ObjectID), "Look at it"
	if !access.Allows(role, access.ReadItems) {
		v.Href, v.Act = queuePath, "To my queue"
	}
	switch n.Kind {
	case store.BatchYours:
		v.Title, v.Text, v.Icon = name+" in "+n.ProjectName+" is yours", "You answer for it from now on, and are told when it can be reviewed.", "layers"
	case store.BatchAnswered:
		v.Title, v.Text, v.Icon = name+" in "+n.ProjectName+" can be reviewed", "Every item of it was answered.", "scale"
	case store.BatchDone:
		v.Title, v.Text = name+" in "+n.ProjectName+" is approved", "Every item of it is decided."
		v.Icon, v.Tone = "circle-check", ui.OK
	default:
		v.Title, v.Text = name+" in "+n.ProjectName+" was returned", "Its answers that were not approved yet went back to their labelers, with the reason on each."
		v.Icon, v.Tone = "undo-2", ui.Warn
	}
	return v
}
