// Package steel draws pictures of hot-rolled steel strip as a camera over the
// mill's roller table sees them, with defects whose boxes are known exactly,
// and the answers that labelers of different habits would give for them.
//
// All of it is integer arithmetic, so that one seed gives the same pixels on
// every machine.
package steel

import "image"

// Class is the key of a defect class.
type Class string

// The six classes that are drawn.
const (
	Scratch         Class = "scratch"
	BlackLine       Class = "black-line"
	BlackStripe     Class = "black-stripe"
	RollerIronSheet Class = "roller-iron-sheet"
	ScalePit        Class = "scale-pit"
	EdgeCrack       Class = "edge-crack"
)

// Defect is a box around one defect, in whole pixels: the smallest that holds
// every pixel by which the defect can be seen.
type Defect struct {
	Class      Class
	X, Y, W, H int
	// Mark is shared by the pieces of one broken scratch.
	Mark int
	// Contrast is the mean difference from the surface in grey levels of 255,
	// without the sign.
	Contrast int
}

func (d Defect) rect() image.Rectangle { return image.Rect(d.X, d.Y, d.X+d.W, d.Y+d.H) }

// Strip is a picture of a piece of strip. Rolling direction is left to right.
type Strip struct {
	Image   *image.Gray
	Defects []Defect
}

// The size of the pictures that Generate draws.
const (
	Width  = 1600
	Height = 1100
)

// Generate draws the strip of a seed, Width × Height pixels.
func Generate(seed uint64) Strip { return GenerateSize(seed, Width, Height) }

// GenerateSize draws a strip of another size, at least 400 × 300 pixels. The
// texture and the defects keep their size in pixels.
func GenerateSize(seed uint64, width, height int) Strip {
	strip, _ := draw(seed, max(400, width), max(300, height))
	return strip
}

// draw also returns what each defect adds to the surface.
func draw(seed uint64, width, height int) (Strip, []*patch) {
	r := newRandom(seed)
	c := &canvas{w: width, h: height, look: chooseLook(r), top: 0, bottom: height}
	c.texture(r.next())
	wanted := chooseDefects(r)
	if wanted[0] == EdgeCrack || r.chance(12) {
		c.drawEdge(r)
	}
	var strip Strip
	var drawn []*patch
	for mark, class := range wanted {
		for range 12 {
			pieces := c.attempt(r, class)
			if len(pieces) == 0 || c.taken(strip.Defects, pieces) {
				continue
			}
			for _, p := range pieces {
				c.add(p)
				strip.Defects = append(strip.Defects, p.defect(class, mark))
				drawn = append(drawn, p)
			}
			break
		}
	}
	strip.Image = c.expose(r)
	return strip, drawn
}

// chooseDefects returns none for one strip in eight, else up to five. Edge
// cracks come first because they need the edge in the picture.
func chooseDefects(r *random) []Class {
	n := [...]int{0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 0}[r.below(16)]
	wanted := make([]Class, 0, n+1)
	for range n {
		switch k := r.below(100); {
		case k < 30:
			wanted = append(wanted, Scratch)
		case k < 47:
			wanted = append(wanted, BlackLine)
		case k < 62:
			wanted = append(wanted, BlackStripe)
		case k < 75:
			wanted = append(wanted, RollerIronSheet)
		case k < 89:
			wanted = append(wanted, ScalePit)
		default:
			wanted = append(wanted, EdgeCrack)
		}
	}
	for i, class := range wanted {
		if class == EdgeCrack {
			wanted[0], wanted[i] = wanted[i], wanted[0]
			break
		}
	}
	if len(wanted) == 0 {
		return []Class{""}
	}
	return wanted
}

// attempt draws a defect at a random place: its visible pieces, or none.
func (c *canvas) attempt(r *random, class Class) []*patch {
	var pieces []*patch
	switch class {
	case Scratch:
		pieces = c.scratch(r)
	case BlackLine:
		pieces = []*patch{c.blackLine(r)}
	case BlackStripe:
		pieces = []*patch{c.blackStripe(r)}
	case RollerIronSheet:
		pieces = []*patch{c.ironSheet(r)}
	case ScalePit:
		pieces = []*patch{c.scalePits(r)}
	case EdgeCrack:
		pieces = []*patch{c.edgeCrack(r)}
	}
	seen := pieces[:0]
	for _, p := range pieces {
		if b := p.box(); b.Dx() >= 3 && b.Dy() >= 3 {
			seen = append(seen, p)
		}
	}
	return seen
}

// taken tells whether a piece would come too near to an earlier defect.
func (c *canvas) taken(defects []Defect, pieces []*patch) bool {
	for _, p := range pieces {
		b := p.box().Inset(-14)
		for _, d := range defects {
			if b.Overlaps(d.rect()) {
				return true
			}
		}
	}
	return false
}
