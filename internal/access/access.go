// Package access says which role may do what. It is the one such table: handlers ask it
// for each group of routes, the store asks it again before it changes a row.
package access

import (
	"fmt"
	"slices"
)

// Role is what a person, or an API token, is in the whole installation.
type Role string

// The four roles.
const (
	Labeler  Role = "labeler"
	Reviewer Role = "reviewer"
	Admin    Role = "admin"
	Viewer   Role = "viewer"
)

// Roles lists every role in the order in which pages show them.
func Roles() []Role { return []Role{Labeler, Reviewer, Admin, Viewer} }

// ParseRole returns the role named s.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("unknown role %q: use labeler, reviewer, admin or viewer", s)
}

// Action is one kind of thing that somebody does.
type Action string

// Every action. Which rows it reaches (membership, assignment) is the store's to say.
const (
	SignedIn       Action = "be signed in"    // what is open to every person and token that is known here
	Account        Action = "account"         // one's own name, password, keys, sign out everywhere; people only
	ReadProjects   Action = "read projects"   // project pages, the defect book
	Label          Action = "label"           // claim, draft, submit, skip, recall, dispute
	ReadItems      Action = "read items"      // any item of the project, its media, answers and truth
	Review         Action = "review"          // approve, amend, reject, discard, undo
	Discuss        Action = "discuss"         // comments on items: of those that one reads, or was handed
	ReadQuality    Action = "read quality"    // figures of every labeler, gold items
	ManageQuality  Action = "manage quality"  // gold items, pausing a labeler in a project
	EditGuideline  Action = "edit guideline"  // classes, definitions, publishing
	EditBatches    Action = "edit batches"    // open rounds, make batches, give them owner and date, close them
	EditProjects   Action = "edit projects"   // make, settings, members, pause
	Import         Action = "import"          // media, truth, prefill, predictions
	ReadRetention  Action = "read retention"  // sources and their policies, what expires, receipts: figures and names of sources alone
	ReadAgreement  Action = "read agreement"  // how far answers agree, in figures that name no item and nobody
	ReadDatasets   Action = "read datasets"   // datasets, versions, manifests, exports made
	EditDatasets   Action = "edit datasets"   // freeze
	DecidePersonal Action = "decide personal" // what of a transcript is personal data
	KeepPersonal   Action = "keep personal"   // export personal data as they stand
	Export         Action = "export"          // make and download an export
	KeepConsumers  Action = "keep consumers"  // who uses dataset versions, and how they are told of erasures
	ManagePeople   Action = "manage people"   // people, invitations, roles
	ManageTokens   Action = "manage tokens"   // API tokens
	ReadAudit      Action = "read audit"      // the audit log
	ManageJobs     Action = "manage jobs"     // background jobs
	ManageSources  Action = "manage sources"  // sources and their retention
	Erase          Action = "erase"           // ask for erasures and confirm them, legal holds
	RegisterModels Action = "register models" // models and their versions
	ReadModels     Action = "read models"     // models, their lineage, what they have predicted
	ReadMetrics    Action = "read metrics"    // the figures for Prometheus

	ReadEvaluations Action = "read evaluations" // runs, figures, trends, the timeline: nothing of an item
	RunEvaluations  Action = "run evaluations"  // start, cancel, try again, attribute, audit
	EditChains      Action = "edit chains"      // chains, schedules, limits, channels, hooks, share links
	WriteChanges    Action = "write changes"    // what a team did, on the timeline
	SettleAlerts    Action = "settle alerts"    // acknowledge, snooze, close
)

// table is sorted by how much it opens.
var table = map[Action][]Role{
	SignedIn:        {Labeler, Reviewer, Admin, Viewer},
	Account:         {Labeler, Reviewer, Admin, Viewer},
	ReadProjects:    {Labeler, Reviewer, Admin, Viewer},
	Label:           {Labeler, Reviewer, Admin},
	Discuss:         {Labeler, Reviewer, Admin},
	ReadItems:       {Reviewer, Admin},
	Review:          {Reviewer, Admin},
	EditGuideline:   {Reviewer, Admin},
	ReadQuality:     {Reviewer, Admin},
	ManageQuality:   {Reviewer, Admin},
	EditBatches:     {Reviewer, Admin}, // who answers for the truth says what is labeled next; settings and members stay an admin's
	ReadAgreement:   {Reviewer, Admin, Viewer},
	ReadDatasets:    {Reviewer, Admin, Viewer},
	ReadRetention:   {Reviewer, Admin, Viewer},
	ReadMetrics:     {Reviewer, Admin, Viewer},
	ReadModels:      {Reviewer, Admin, Viewer},
	ReadEvaluations: {Reviewer, Admin, Viewer},
	RunEvaluations:  {Reviewer, Admin},
	WriteChanges:    {Reviewer, Admin},
	SettleAlerts:    {Reviewer, Admin},
	EditChains:      {Admin},
	DecidePersonal:  {Reviewer, Admin},
	EditDatasets:    {Admin},
	KeepPersonal:    {Admin},
	Export:          {Admin},
	EditProjects:    {Admin},
	Import:          {Admin},
	KeepConsumers:   {Admin},
	ManagePeople:    {Admin},
	ManageTokens:    {Admin},
	ReadAudit:       {Admin},
	ManageJobs:      {Admin},
	ManageSources:   {Admin},
	Erase:           {Admin},
	RegisterModels:  {Admin},
}

// Actions lists every action of the table.
func Actions() []Action {
	all := make([]Action, 0, len(table))
	for a := range table {
		all = append(all, a)
	}
	slices.Sort(all)
	return all
}

// Allows reports whether role may do action at all. An unknown role or action is refused.
func Allows(role Role, action Action) bool { return slices.Contains(table[action], role) }

// wide are the actions that reach beyond any one project.
var wide = []Action{ManagePeople, ManageTokens, ReadAudit, ManageJobs, ManageSources, KeepConsumers, ReadMetrics, Erase}

// Wide reports whether action reaches beyond any one project, so that whoever is bound to one may
// not do it whatever their role: they could make themselves an account for all the others.
func Wide(action Action) bool { return slices.Contains(wide, action) }
