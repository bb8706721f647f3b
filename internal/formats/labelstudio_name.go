package formats

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// uploadPrefix is what Label Studio puts before the name of an uploaded file.
var uploadPrefix = regexp.MustCompile(`^[0-9a-f]{8}-(.+)$`)

// labelStudioName is the relative path that the address of a task's image stands for: of a file that Label Studio serves, of a
// bucket, of a web server, or a plain path. also is a second name of it: an uploaded file bears a prefix on the disk.
func labelStudioName(address string) (name, also string, err error) {
	switch {
	case len(address) > longestName:
		return "", "", errors.New("the image is inside the file, or its address too long: upload it as a picture, and name it there")
	case strings.HasPrefix(address, "data:"):
		return "", "", errors.New("the image is inside the file: upload it as a picture, and name it there")
	}
	if _, query, found := strings.Cut(address, "/data/local-files/?"); found {
		values, err := url.ParseQuery(query)
		if err != nil {
			return "", "", errors.New("the address of the image cannot be read")
		}
		return stripRoot(values.Get("d")), "", nil
	}
	name = address
	scheme, rest, remote := strings.Cut(address, "://")
	if remote {
		_, name, _ = strings.Cut(rest, "/") // behind the host or the bucket
	}
	if strings.HasPrefix(scheme, "http") || strings.HasPrefix(address, "/data/upload/") {
		name, _, _ = strings.Cut(name, "?")
		name, _, _ = strings.Cut(name, "#")
		if plain, err := url.PathUnescape(name); err == nil {
			name = plain
		}
	}
	name = stripRoot(name)
	if uploaded, found := strings.CutPrefix(name, "data/upload/"); found {
		name = path.Base(uploaded)
		if parts := uploadPrefix.FindStringSubmatch(name); parts != nil {
			return parts[1], name, nil
		}
	}
	return name, "", nil
}

// labelStudioAddress is the address of a file that Label Studio serves from a folder of its own machine.
func labelStudioAddress(key string) string {
	return "/data/local-files/?d=" + strings.ReplaceAll(url.QueryEscape(key), "%2F", "/")
}
