package handlers

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"fiducial/internal/access"
	"fiducial/web"
)

// pythonClient is a client of the API in one file, for whoever writes programs in Python.
//
//go:embed fiducial.py
var pythonClient []byte

const pythonClientPath = "/api/fiducial.py"

// documentation serves the API's description: for programs as it is, for people as a page.
func (r router) documentation(spec *huma.OpenAPI) {
	r.get(pythonClientPath, access.SignedIn, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/x-python; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="fiducial.py"`)
		_, _ = w.Write(pythonClient) // the client may have gone, and no one is left to tell
		return nil
	})
	r.get(apiBase+"/openapi.json", access.SignedIn, func(w http.ResponseWriter, _ *http.Request) error {
		return renderJSON(w, http.StatusOK, spec)
	})
	r.get("/api/docs", access.SignedIn, func(w http.ResponseWriter, req *http.Request) error {
		return render(w, req, http.StatusOK, web.DocumentationPage(r.server.page(req, "API"), documentationView(spec)))
	})
}

func documentationView(spec *huma.OpenAPI) web.DocumentationView {
	v := web.DocumentationView{Text: spec.Info.Description, Schema: apiBase + "/openapi.json", Python: pythonClientPath}
	byTag := map[string][]web.OperationView{}
	for path, item := range spec.Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
		} {
			if op != nil {
				tag := strings.Join(op.Tags, " ")
				byTag[tag] = append(byTag[tag], operationView(spec, method, path, op))
			}
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		ops := byTag[tag]
		slices.SortFunc(ops, func(a, b web.OperationView) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
		})
		v.Sections = append(v.Sections, web.DocumentationSection{Title: tag, Operations: ops})
	}
	return v
}

func operationView(spec *huma.OpenAPI, method, path string, op *huma.Operation) web.OperationView {
	v := web.OperationView{ID: op.OperationID, Method: method, Path: apiBase + path, Summary: op.Summary, Text: op.Description}
	for _, p := range op.Parameters {
		v.Fields = append(v.Fields, web.FieldDocumentation{
			Name: p.Name, Place: p.In, Type: schemaType(spec, p.Schema), Text: cmp.Or(p.Description, schemaText(p.Schema)), Required: p.Required,
		})
	}
	if op.RequestBody != nil {
		schema := jsonSchema(op.RequestBody.Content)
		v.Fields = append(v.Fields, fieldsOf(spec, schema, "body")...)
		v.Send = example(spec, schema)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if strings.HasPrefix(status, "2") {
			schema := jsonSchema(op.Responses[status].Content)
			v.Status, v.Answer, v.Answers = status, example(spec, schema), fieldsOf(spec, schema, "")
		} else {
			v.Faults = append(v.Faults, status)
		}
	}
	return v
}

func jsonSchema(content map[string]*huma.MediaType) *huma.Schema {
	if media := content["application/json"]; media != nil {
		return media.Schema
	}
	return nil
}

// resolved follows a reference into the components.
func resolved(spec *huma.OpenAPI, schema *huma.Schema) *huma.Schema {
	if schema != nil && schema.Ref != "" {
		return spec.Components.Schemas.SchemaFromRef(schema.Ref)
	}
	return schema
}

func fieldsOf(spec *huma.OpenAPI, schema *huma.Schema, place string) []web.FieldDocumentation {
	schema = resolved(spec, schema)
	if schema == nil {
		return nil
	}
	var fields []web.FieldDocumentation
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property := schema.Properties[name]
		fields = append(fields, web.FieldDocumentation{
			Name: name, Place: place, Type: schemaType(spec, property), Text: schemaText(property),
			Required: slices.Contains(schema.Required, name),
		})
		if items := resolved(spec, property.Items); items != nil && items.Type == huma.TypeObject {
			for _, inner := range fieldsOf(spec, items, place) {
				inner.Name = name + "[]." + inner.Name
				fields = append(fields, inner)
			}
		}
	}
	return fields
}

func schemaType(spec *huma.OpenAPI, schema *huma.Schema) string {
	schema = resolved(spec, schema)
	switch {
	case schema == nil:
		return ""
	case len(schema.Enum) > 0:
		words := make([]string, len(schema.Enum))
		for i, word := range schema.Enum {
			words[i] = fmt.Sprint(word)
		}
		return strings.Join(words, " | ")
	case schema.Type == huma.TypeArray:
		return "list of " + schemaType(spec, schema.Items)
	case schema.Format != "":
		return schema.Type + " (" + schema.Format + ")"
	}
	return schema.Type
}

func schemaText(schema *huma.Schema) string {
	if schema == nil {
		return ""
	}
	return schema.Description
}

// example is what a schema's examples make of it, as indented JSON.
func example(spec *huma.OpenAPI, schema *huma.Schema) string {
	if schema == nil {
		return ""
	}
	body, err := json.MarshalIndent(exampleOf(spec, schema), "", "  ")
	if err != nil {
		return "" // an example that is no JSON is a bug that the tests see
	}
	return string(body)
}

func exampleOf(spec *huma.OpenAPI, schema *huma.Schema) any {
	schema = resolved(spec, schema)
	switch {
	case schema == nil:
		return nil
	case len(schema.Examples) > 0:
		return schema.Examples[0]
	case schema.Default != nil:
		return schema.Default
	case len(schema.Enum) > 0:
		return schema.Enum[0]
	}
	switch schema.Type {
	case huma.TypeObject:
		object := map[string]any{}
		for name, property := range schema.Properties {
			object[name] = exampleOf(spec, property)
		}
		return object
	case huma.TypeArray:
		return []any{exampleOf(spec, schema.Items)}
	case huma.TypeBoolean:
		return false
	case huma.TypeInteger, huma.TypeNumber:
		return 1
	}
	if schema.Format == "date-time" {
		return "2026-01-31T09:30:00Z"
	}
	return "…"
}
