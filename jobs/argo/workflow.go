package argo

import (
	"crypto/rand"
	"strconv"
	"strings"
)

// label marks what this product has started.
const (
	label      = "fiducial.dev/part"
	namePrefix = "fiducial-"
)

// Workflow is a manifest of Argo, as far as it is written here.
type Workflow struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

// Metadata names an object.
type Metadata struct {
	Name      string            `json:"name,omitempty"`
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// Spec is what a workflow does.
type Spec struct {
	Entrypoint         string     `json:"entrypoint"`
	ServiceAccountName string     `json:"serviceAccountName,omitempty"`
	TTL                *TTL       `json:"ttlStrategy,omitempty"`
	PodGC              *PodGC     `json:"podGC,omitempty"`
	Templates          []Template `json:"templates"`
}

// TTL says how long a workflow is kept after it has ended.
type TTL struct {
	Seconds int32 `json:"secondsAfterCompletion"`
}

// PodGC says when pods are deleted.
type PodGC struct {
	Strategy string `json:"strategy"`
}

// Template is a part of a workflow: a graph, or a container.
type Template struct {
	Name      string     `json:"name"`
	Inputs    *Inputs    `json:"inputs,omitempty"`
	DAG       *DAG       `json:"dag,omitempty"`
	Retry     *Retry     `json:"retryStrategy,omitempty"`
	Container *Container `json:"container,omitempty"`
}

// Inputs are the parameters of a template, or of a task.
type Inputs struct {
	Parameters []Parameter `json:"parameters"`
}

// Parameter is one of them.
type Parameter struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// DAG is a graph of tasks.
type DAG struct {
	FailFast bool   `json:"failFast"`
	Tasks    []Task `json:"tasks"`
}

// Task is a node of a graph.
type Task struct {
	Name      string `json:"name"`
	Template  string `json:"template"`
	Depends   string `json:"depends,omitempty"`
	Arguments Inputs `json:"arguments"`
}

// Retry says how often a container that ended badly is started again.
type Retry struct {
	Limit   string  `json:"limit"`
	Policy  string  `json:"retryPolicy"`
	Backoff Backoff `json:"backoff"`
}

// Backoff says how long after.
type Backoff struct {
	Duration string `json:"duration"`
	Factor   string `json:"factor"`
}

// Container is a container.
type Container struct {
	Image   string    `json:"image"`
	Command []string  `json:"command"`
	Args    []string  `json:"args"`
	EnvFrom []EnvFrom `json:"envFrom,omitempty"`
}

// EnvFrom takes the environment from a Secret.
type EnvFrom struct {
	SecretRef SecretRef `json:"secretRef"`
}

// SecretRef names a Secret.
type SecretRef struct {
	Name string `json:"name"`
}

// Step is a step of an evaluation: a model asked about a version's items. After is the step whose outputs it is given, 0 for none.
type Step struct{ ID, After int64 }

const (
	keptAfter    = 7 * 24 * 3600 // seconds
	stepTries    = "5"
	stepTemplate = "step"
)

// EvaluationName is the name of the workflow of an evaluation. run tells the first one from those after a failure.
func EvaluationName(evaluation, run int64) string {
	return namePrefix + "evaluation-" + strconv.FormatInt(evaluation, 10) + "-" + strconv.FormatInt(run, 10)
}

// ServerName is a name that no other workflow has, for a model server from a template.
func ServerName(template string) string {
	const most = 40 // with the rest of it, a label's length
	return namePrefix + strings.Trim(template[:min(len(template), most)], "-.") + "-" + strings.ToLower(rand.Text()[:12])
}

// Evaluation is the workflow of an evaluation: each step is a container that runs `fiducial eval step`, after the step whose outputs it is
// given. A step that is started again goes on where it was.
func (c *Client) Evaluation(name string, steps []Step) *Workflow {
	graph := DAG{Tasks: make([]Task, 0, len(steps))}
	there := map[int64]bool{}
	for _, s := range steps {
		there[s.ID] = true
	}
	for _, s := range steps {
		id := strconv.FormatInt(s.ID, 10)
		task := Task{Name: "step-" + id, Template: stepTemplate, Arguments: Inputs{[]Parameter{{Name: "step", Value: id}}}}
		if there[s.After] { // else that one is done
			task.Depends = "step-" + strconv.FormatInt(s.After, 10)
		}
		graph.Tasks = append(graph.Tasks, task)
	}
	container := &Container{Image: c.cfg.Image, Command: []string{"fiducial"}, Args: []string{"eval", "step", "{{inputs.parameters.step}}"}}
	if c.cfg.Secret != "" {
		container.EnvFrom = []EnvFrom{{SecretRef{c.cfg.Secret}}}
	}
	return &Workflow{
		APIVersion: "argoproj.io/v1alpha1", Kind: "Workflow",
		Metadata: Metadata{Name: name, Namespace: c.cfg.Namespace, Labels: map[string]string{label: "evaluation"}},
		Spec: Spec{
			Entrypoint: "evaluation", ServiceAccountName: c.cfg.ServiceAccount, TTL: &TTL{keptAfter}, PodGC: &PodGC{"OnPodSuccess"},
			Templates: []Template{
				{Name: "evaluation", DAG: &graph},
				{
					Name: stepTemplate, Inputs: &Inputs{[]Parameter{{Name: "step"}}}, Retry: &Retry{Limit: stepTries, Policy: "Always", Backoff: Backoff{"10s", "2"}},
					Container: container,
				},
			},
		},
	}
}
