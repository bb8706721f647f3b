package main

import (
	"context"
	"time"

	"fiducial/store"
)

// askAccess adds sources whose data is held back, before any of it has come in, and asks what is held on a customer and on a labeler.
func (f *demoFill) askAccess(ctx context.Context) error {
	days := func(n int) *int { return &n }
	for name, policy := range map[string]store.Policy{
		"Nordic Rail":    {RetentionDays: days(365), ExpiryAction: store.ExpireDelete, Consumers: []string{"rail-safety"}, Models: []string{"steelnet"}},
		"Line 4 (trial)": {RetentionDays: days(14), ExpiryAction: store.ExpireDelete, OpenTo: []store.DestinationKind{store.ToExports, store.ToModels}},
	} {
		if _, err := f.Store.AddSourceUnder(ctx, f.admin(), name, policy); err != nil {
			return err
		}
	}
	customer, err := f.Store.SourceByName(ctx, f.admin(), "Aurum Cars")
	if err != nil {
		return err
	}
	mara := f.actors["Mara Lindqvist"]
	for _, ask := range []struct {
		actor store.Actor
		what  store.NewAccess
	}{
		{f.admin(), store.NewAccess{SourceID: customer.ID, DueOn: time.Now().AddDate(0, 0, 12)}},
		{mara, store.NewAccess{PersonID: mara.PersonID}},
	} {
		if _, err := f.Store.AddAccess(ctx, ask.actor, ask.what); err != nil {
			return err
		}
	}
	return nil
}
