package formats

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// maxSide bounds the width and height that a file may state, in pixels.
const maxSide = 1 << 24

// image reads one entry of images.
func (c *cocoReader) image() {
	var entry cocoImage
	var name string
	c.scan.object(func(key []byte) {
		switch string(key) {
		case "id":
			entry.id = c.id()
		case "file_name":
			if _, ok := c.scan.scalar(); ok {
				name = string(c.scan.word)
			}
		case "width":
			entry.Width = c.side()
		case "height":
			entry.Height = c.side()
		case "date_captured":
			entry.CapturedAt = parseTime(c.scan.value())
		case "source":
			entry.Source = c.scan.value()
		case "group":
			entry.Group = c.scan.value()
		case "metadata":
			entry.Metadata = c.metadata()
		default:
			c.scan.skip()
		}
	})
	if entry.id.kind == cocoNoID {
		c.report.Add(Refused, "image "+strconv.Quote(cleanText(name)), "the image has no id")
		return
	}
	c.nameImage(&entry, name)
	known := &c.images[c.imageIndex(entry.id)]
	switch {
	case !known.listed:
		entry.listed, entry.faulty = true, known.faulty
		*known = entry
	case known.Key == entry.Key:
		c.report.Add(LeftOut, c.imagePlace(known), "the image is listed twice")
	default:
		known.fault = fmt.Sprintf("the id belongs to two images, %q and %q: their boxes cannot be told apart", known.Key, entry.Key)
	}
}

// nameImage makes the key of an image out of its file name.
func (c *cocoReader) nameImage(entry *cocoImage, name string) {
	if name == "" {
		entry.fault = "the image has no file_name"
		return
	}
	relative := stripRoot(name)
	key, err := CleanKey(relative)
	if err != nil {
		entry.fault = err.Error()
		return
	}
	entry.Key = key
	if relative != name {
		c.report.Add(Renamed, c.imagePlace(entry), fmt.Sprintf("the absolute path %q was made relative", name))
	}
}

func (c *cocoReader) imagePlace(entry *cocoImage) string {
	if entry.Key == "" {
		return "image " + c.show(entry.id)
	}
	return "image " + c.show(entry.id) + " (" + entry.Key + ")"
}

// side takes a width or height; 0 for one that cannot be true.
func (c *cocoReader) side() int {
	f := c.scan.number()
	if !(f >= 1 && f <= maxSide) || f != math.Trunc(f) {
		return 0
	}
	return int(f)
}

// metadata takes an object of plain values.
func (c *cocoReader) metadata() map[string]string {
	values := map[string]string{}
	c.scan.object(func(key []byte) {
		name := cleanText(key)
		if value := c.scan.value(); value != "" {
			values[name] = value
		}
	})
	if len(values) == 0 {
		return nil
	}
	return values
}

// parseTime reads the ways in which files write a date; the zero time is unknown. A time without a zone is UTC.
func parseTime(text string) time.Time {
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
