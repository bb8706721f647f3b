package store

import (
	"path"
	"regexp"
)

// How an import finds the group of a new item whose labels name none.
const (
	GroupByFolder = "folder" // the folder of its key
	GroupByName   = "name"   // what a pattern finds in its key
)

// longestPattern bounds the pattern of groups, in bytes.
const longestPattern = 200

// checkGroups refuses a rule that cannot be followed.
func (o ImportOptions) checkGroups() error {
	switch o.GroupBy {
	case "", GroupByFolder:
		if o.GroupPattern != "" {
			return invalid("group_pattern", "A pattern belongs to groups by a part of the name.")
		}
		return nil
	case GroupByName:
		if _, err := regexp.Compile(o.GroupPattern); err != nil || o.GroupPattern == "" || len(o.GroupPattern) > longestPattern {
			return invalid("group_pattern", `Write a regular expression of at most 200 letters that finds the group in a name, such as ^([A-Z]-\d+).`)
		}
		return nil
	}
	return invalid("group_by", "Group by folder, by a part of the name, or not at all.")
}

// grouping returns the rule by which keys fall into groups; the empty group is none.
func (o ImportOptions) grouping() (func(key string) string, error) {
	switch o.GroupBy {
	case GroupByFolder:
		return func(key string) string {
			if folder := path.Dir(key); folder != "." {
				return folder
			}
			return ""
		}, nil
	case GroupByName:
		pattern, err := regexp.Compile(o.GroupPattern)
		if err != nil {
			return nil, err
		}
		return func(key string) string {
			found := pattern.FindStringSubmatch(key)
			if len(found) == 0 {
				return ""
			}
			return found[min(1, len(found)-1)]
		}, nil
	}
	return func(string) string { return "" }, nil
}

// group is the group that a new item belongs to: the one that its labels name, else the one of its key.
func (r *ImportRun) group(record *ImportRecord) string {
	if record.Label != nil && record.Label.Group != "" {
		return record.Label.Group
	}
	return r.groupOf(record.Keys[0])
}
