package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/internal/speech"
	"fiducial/store"
)

// projectJSON is a project as programs see it.
type projectJSON struct {
	ID           int64      `json:"id" example:"1"`
	Slug         string     `json:"slug" example:"steel" doc:"Its short name, which addresses and commands use."`
	Name         string     `json:"name" example:"Hot strip surface"`
	Kind         string     `json:"kind" enum:"image,audio"`
	Overlap      int        `json:"overlap" example:"1" doc:"Answers wanted for each item."`
	LeaseMinutes int        `json:"lease_minutes" example:"30"`
	AcceptsTruth bool       `json:"accepts_truth" doc:"Whether imported truth is taken."`
	MetadataKeys []string   `json:"metadata_keys" doc:"What an import keeps of an item's metadata."`
	Rules        rulesJSON  `json:"rules" doc:"What becomes of answers that agree, or do not."`
	Sound        *soundJSON `json:"sound,omitempty" doc:"Of a project of sound: how utterances are heard, compared and written down."`
	Paused       bool       `json:"paused"`
	CreatedAt    time.Time  `json:"created_at"`
}

// soundJSON is how the utterances of a project are heard, compared and written down.
type soundJSON struct {
	Normalizer     string  `json:"normalizer" enum:"as-is-1,basic-1,lenient-1" example:"basic-1" doc:"By which transcripts are compared."`
	ContextSeconds float64 `json:"context_seconds" minimum:"0" maximum:"60" example:"3" doc:"What can be heard around an utterance."`
	PrefillMode    string  `json:"prefill_mode" enum:"blind,edit,reveal" example:"blind" doc:"What a labeler sees of a hypothesis where no plan says: nothing, its text to be corrected, or its text once they have written theirs."`
}

type soundInput struct {
	Slug string `path:"slug" example:"calls"`
	Body soundJSON
}

func (s *Server) apiSetSound(ctx context.Context, actor store.Actor, in *soundInput) (*projectOutput, error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	if err := s.Store.SetSound(ctx, actor, project.ID, store.SoundSettings(in.Body)); err != nil {
		return nil, err
	}
	project, err = s.Store.Project(ctx, actor, in.Slug)
	return &projectOutput{projectAsJSON(project)}, err
}

func projectAsJSON(p store.Project) projectJSON {
	out := projectJSON{
		ID: p.ID, Slug: p.Slug, Name: p.Name, Kind: p.Kind, Overlap: p.Overlap, LeaseMinutes: p.LeaseMinutes,
		AcceptsTruth: p.AcceptsTruth, MetadataKeys: p.MetadataKeys, Rules: rulesJSON(p.AgreementRules), Paused: p.Paused, CreatedAt: p.CreatedAt,
	}
	if p.Kind == "audio" {
		out.Sound = new(soundJSON(p.SoundSettings))
		out.Sound.Normalizer = speech.ProjectNormalizer(p.Normalizer).Name
	}
	return out
}

type newProjectInput struct {
	Body struct {
		Slug         string   `json:"slug" example:"steel" doc:"Lower-case letters, digits and hyphens."`
		Name         string   `json:"name,omitempty" example:"Hot strip surface" doc:"The slug if missing."`
		Description  string   `json:"description,omitempty"`
		Kind         string   `json:"kind" enum:"image,audio"`
		Overlap      int      `json:"overlap,omitempty" minimum:"1" maximum:"9" doc:"1 if missing."`
		LeaseMinutes int      `json:"lease_minutes,omitempty" minimum:"1" maximum:"1440" doc:"30 if missing."`
		AcceptsTruth bool     `json:"accepts_truth,omitempty"`
		MetadataKeys []string `json:"metadata_keys,omitempty"`

		Rules *rulesJSON `json:"rules,omitempty" doc:"Nothing is accepted and nobody asked by itself if missing."`
	}
}

type projectMade struct {
	ID   int64  `json:"id" example:"1"`
	Slug string `json:"slug" example:"steel"`
}

type slugInput struct {
	Slug string `path:"slug" example:"steel"`
}

type projectOutput struct{ Body projectJSON }

type meOutput struct {
	Body struct {
		Role    string `json:"role" enum:"labeler,reviewer,admin,viewer"`
		Person  int64  `json:"person,omitempty" doc:"Missing for a token."`
		Token   int64  `json:"token,omitempty" doc:"Missing for a person."`
		Project int64  `json:"project,omitempty" doc:"The only project that the token reaches."`
	}
}

func (s *Server) projectOperations(a api) {
	operation(a, access.SignedIn, huma.Operation{
		OperationID: "me", Method: http.MethodGet, Path: "/me", Tags: []string{"Account"}, Summary: "Who asks, and what they may do",
	}, s.apiMe)
	operation(a, access.ReadProjects, huma.Operation{
		OperationID: "list-projects", Method: http.MethodGet, Path: "/projects", Tags: []string{"Projects"}, Summary: "Every project that you see",
	}, s.apiProjects)
	operation(a, access.EditProjects, huma.Operation{
		OperationID: "add-project", Method: http.MethodPost, Path: "/projects", Tags: []string{"Projects"}, Summary: "Make a project",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusUnprocessableEntity},
	}, s.apiAddProject)
	operation(a, access.ReadProjects, huma.Operation{
		OperationID: "get-project", Method: http.MethodGet, Path: "/projects/{slug}", Tags: []string{"Projects"}, Summary: "One project",
		Errors: []int{http.StatusNotFound},
	}, s.apiProject)
	operation(a, access.EditProjects, huma.Operation{
		OperationID: "set-sound", Method: http.MethodPut, Path: "/projects/{slug}/sound", Tags: []string{"Projects"},
		Summary:     "Say how utterances are heard, compared and written down",
		Description: "Another normalizer has every item scored again, in the background.",
		Errors:      []int{http.StatusNotFound, http.StatusUnprocessableEntity},
	}, s.apiSetSound)
	operation(a, access.ReadItems, huma.Operation{
		OperationID: "list-items", Method: http.MethodGet, Path: "/projects/{slug}/items", Tags: []string{"Projects"}, Summary: "A project's items",
		Errors: []int{http.StatusNotFound},
	}, s.apiItems)
}

func (s *Server) apiMe(_ context.Context, actor store.Actor, _ *struct{}) (*meOutput, error) {
	out := &meOutput{}
	out.Body.Role, out.Body.Person, out.Body.Token, out.Body.Project = string(actor.Role), actor.PersonID, actor.TokenID, actor.Scope
	return out, nil
}

func (s *Server) apiProjects(ctx context.Context, actor store.Actor, _ *struct{}) (*listing[projectJSON], error) {
	projects, err := s.Store.Projects(ctx, actor)
	if err != nil {
		return nil, err
	}
	out := &listing[projectJSON]{}
	out.Body.Data = make([]projectJSON, 0, len(projects))
	for _, p := range projects {
		out.Body.Data = append(out.Body.Data, projectAsJSON(p))
	}
	return out, nil
}

func (s *Server) apiAddProject(ctx context.Context, actor store.Actor, in *newProjectInput) (*made[projectMade], error) {
	b := in.Body
	project, err := s.Store.AddProject(ctx, actor, store.NewProject{
		Slug: b.Slug, Name: b.Name, Description: b.Description, Kind: b.Kind, Overlap: b.Overlap, LeaseMinutes: b.LeaseMinutes,
		AcceptsTruth: b.AcceptsTruth, MetadataKeys: b.MetadataKeys, Rules: b.Rules.rules(),
	})
	if err != nil {
		return nil, err
	}
	return &made[projectMade]{Location: apiBase + "/projects/" + project.Slug, Body: projectMade{project.ID, project.Slug}}, nil
}

func (s *Server) apiProject(ctx context.Context, actor store.Actor, in *slugInput) (*projectOutput, error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	return &projectOutput{projectAsJSON(project)}, err
}

type itemJSON struct {
	ID     int64  `json:"id" example:"17"`
	Key    string `json:"key" example:"coil-7/strip-0017.png" doc:"What the outside world knows it by."`
	State  string `json:"state" enum:"awaiting_media,processing,ready,broken,redacted" doc:"Of its picture or its sound. redacted: masked words whose sound has expired."`
	Task   string `json:"task,omitempty" enum:"open,in_review,adjudicated,discarded" doc:"Missing before it came into the queue."`
	Width  int    `json:"width,omitempty" example:"1600" doc:"Pixels of the upright picture."`
	Height int    `json:"height,omitempty" example:"1100"`
}

type itemsInput struct {
	PageQuery

	Slug   string `path:"slug" example:"steel"`
	State  string `query:"state" enum:"open,in_review,adjudicated,discarded,awaiting_media,processing,broken,redacted" doc:"Of the task, or of the picture."`
	Class  int64  `query:"class" doc:"Id of a class that the truth has a box of."`
	Source int64  `query:"source" doc:"Id of the source."`
	Group  string `query:"group" doc:"Name of the group."`
	Key    string `query:"key" doc:"How the key begins."`
}

func (s *Server) apiItems(ctx context.Context, actor store.Actor, in *itemsInput) (*listing[itemJSON], error) {
	project, err := s.Store.Project(ctx, actor, in.Slug)
	if err != nil {
		return nil, err
	}
	after, err := cursorID(in.After)
	if err != nil {
		return nil, err
	}
	items, err := s.Store.Items(ctx, actor, store.ItemFilter{
		Project: project.ID, State: in.State, Class: in.Class, Source: in.Source, Group: in.Group, KeyPrefix: in.Key, After: after, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	rows := make([]itemJSON, len(items))
	for i, item := range items {
		rows[i] = itemJSON{item.ID, item.ExternalKey, item.State, item.TaskState, item.Width, item.Height}
	}
	filters := url.Values{}
	for name, value := range map[string]string{"state": in.State, "group": in.Group, "key": in.Key, "class": idText(in.Class), "source": idText(in.Source)} {
		if value != "" {
			filters.Set(name, value)
		}
	}
	return pageOf("/projects/"+project.Slug+"/items", filters, in.Limit, rows, func(i itemJSON) string { return idText(i.ID) }), nil
}

// idText is an id in an address; 0 is none.
func idText(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}
