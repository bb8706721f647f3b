package formats

import (
	"errors"
	"path"
	"slices"
	"strings"
)

// The two ways in which a label file's name for an image can fail to name one of the files at hand.
var (
	ErrNoMedia   = errors.New("no image of that name was found")
	ErrManyMedia = errors.New("several images could be meant: give the path with its folders")
)

// Media finds the image files that label files name. Tools differ in where they begin a path, so that a name also counts
// when one of the two paths is the end of the other, whole folders compared; a base name alone never decides between two.
type Media struct {
	byBase, byStem map[string][]string
	root           string
}

// NewMedia indexes the keys of the images at hand.
func NewMedia(keys []string) *Media {
	m := &Media{byBase: map[string][]string{}, byStem: map[string][]string{}}
	for i, key := range keys {
		base := path.Base(key)
		m.byBase[base] = append(m.byBase[base], key)
		m.byStem[stem(base)] = append(m.byStem[stem(base)], key)
		if i == 0 {
			m.root = path.Dir(key) + "/"
		}
		for m.root != "./" && !strings.HasPrefix(key, m.root) {
			m.root = path.Dir(strings.TrimSuffix(m.root, "/")) + "/"
		}
	}
	return m
}

// Find returns the key of the image that name means, or ErrNoMedia or ErrManyMedia.
func (m *Media) Find(name string) (string, error) {
	return m.pick(m.byBase[path.Base(name)], name, func(key string) string { return key })
}

// FindStem is Find for a name without the extension of the image's file.
func (m *Media) FindStem(name string) (string, error) {
	return m.pick(m.byStem[path.Base(name)], name, stem)
}

func (m *Media) pick(candidates []string, name string, form func(string) string) (string, error) {
	var exact, ending, inside []string
	for _, key := range candidates {
		switch formed := form(key); {
		case formed == name:
			exact = append(exact, key)
		case strings.HasSuffix(formed, "/"+name):
			ending = append(ending, key)
		case endsIn(name, form(strings.TrimPrefix(key, m.root))):
			inside = append(inside, key)
		}
	}
	// Of several that name ends in, the one with the most folders is meant.
	slices.SortStableFunc(inside, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	if len(inside) > 1 && strings.Count(inside[0], "/") > strings.Count(inside[1], "/") {
		inside = inside[:1]
	}
	for _, found := range [...][]string{exact, ending, inside} {
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return "", ErrManyMedia
		}
	}
	return "", ErrNoMedia
}

// stem is a path without the extension of its file.
func stem(key string) string { return strings.TrimSuffix(key, path.Ext(key)) }

// endsIn reports whether the path long is short, or ends in it after a separator.
func endsIn(long, short string) bool { return long == short || strings.HasSuffix(long, "/"+short) }
