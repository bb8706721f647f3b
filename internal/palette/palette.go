// Package palette gives each class of a project its colour. A class keeps its
// slot, and so its colour, for life.
package palette

import (
	"fmt"
	"math"
	"strings"
)

const (
	firstHue    = 205.0   // degrees
	goldenAngle = 137.508 // degrees: each hue falls into the widest gap that is left
	chroma      = 0.14

	// The interface's own signal colour stays clear of the classes'.
	accentHue  = 40.0
	accentGap  = 18.0
	accentStep = 26.0

	// Hues nearly repeat after this many slots; then lightness and dash tell
	// them apart.
	tier = 8
)

var lightnesses = []float64{0.80, 0.68}

// The dashes are values of stroke-dasharray. There are as many that any two
// slots of the same hue differ in lightness or dash up to slot 79.
var dashes = []string{"none", "8 3", "3 3", "12 3 3 3", "1.5 4"}

// Colour returns the colour of a slot, counted from 0, as CSS oklch. All of
// them are light enough for dark ink on them and for a dark case round them on
// a photograph.
func Colour(slot int) string {
	return fmt.Sprintf("oklch(%.2f %.2f %.1f)", lightnesses[slot/tier%len(lightnesses)], chroma, hue(slot))
}

// Dash returns the line style of a slot as CSS stroke-dasharray: solid for the
// first eight.
func Dash(slot int) string {
	return dashes[slot/tier%len(dashes)]
}

// hue is in degrees, 0 to 360.
func hue(slot int) float64 {
	h := math.Mod(firstHue+float64(slot)*goldenAngle, 360)
	if apart(h, accentHue) < accentGap {
		h = math.Mod(h+accentStep, 360)
	}
	return h
}

// apart is the angle between two hues, 0 to 180 degrees.
func apart(a, b float64) float64 {
	d := math.Mod(math.Abs(a-b), 360)
	return math.Min(d, 360-d)
}

// Stylesheet returns CSS in which the class c7 sets --class and --dash to
// colour and line of slot 7, for the slots given.
func Stylesheet(slots []int) string {
	var css strings.Builder
	css.WriteString("@layer components{\n")
	for _, slot := range slots {
		fmt.Fprintf(&css, ".c%d{--class:%s;--dash:%s}\n", slot, Colour(slot), Dash(slot))
	}
	css.WriteString("}\n")
	return css.String()
}
