package steel

import "image"

// Habit is the way in which a labeler draws boxes.
type Habit string

// The habits of three labelers.
const (
	// Careful draws tight boxes, at most a pixel off.
	Careful Habit = "careful"
	// Loose leaves air around a defect, and likes one box over all pieces of
	// a broken scratch.
	Loose Habit = "loose"
	// Quick overlooks faint defects, takes lines for one another, and now and
	// then sees a defect in plain texture.
	Quick Habit = "quick"
)

// Habits lists them all.
var Habits = []Habit{Careful, Loose, Quick}

// Answer returns the boxes that a labeler of the habit draws on the strip. The
// same seed gives the same answer. Mark and Contrast are left empty: nobody
// who draws a box knows them.
func Answer(strip Strip, habit Habit, seed uint64) []Defect {
	r := newRandom(mix(seed) ^ uint64(len(habit)))
	bounds := strip.Image.Bounds()
	var answer []Defect
	seen := strip.Defects
	if habit == Loose {
		seen = joinPieces(r, seen)
	}
	for _, d := range seen {
		box := d.rect()
		switch habit {
		case Careful:
			if d.Contrast < 21 && r.chance(15) {
				continue
			}
			box = moveSides(r, box, -1, 1)
		case Loose:
			box = moveSides(r, box, 2, 7)
		case Quick:
			if r.chance(4) || d.Contrast < 25 && r.chance(40) {
				continue
			}
			box = moveSides(r, box, -2, 5)
			d.Class = confuse(r, d.Class)
		}
		answer = append(answer, asDefect(d.Class, box.Intersect(bounds)))
	}
	if habit == Quick && r.chance(15) {
		answer = append(answer, imagine(r, bounds))
	}
	return answer
}

func asDefect(class Class, b image.Rectangle) Defect {
	return Defect{Class: class, X: b.Min.X, Y: b.Min.Y, W: b.Dx(), H: b.Dy()}
}

// moveSides moves each side outward by low to high pixels. A side never moves
// so far inward that a thin box would vanish.
func moveSides(r *random, b image.Rectangle, low, high int) image.Rectangle {
	lowX, lowY := max(low, -b.Dx()/8), max(low, -b.Dy()/8)
	return image.Rect(
		b.Min.X-r.between(lowX, high), b.Min.Y-r.between(lowY, high),
		b.Max.X+r.between(lowX, high), b.Max.Y+r.between(lowY, high),
	)
}

// joinPieces puts one box over the pieces of two broken scratches in three.
func joinPieces(r *random, defects []Defect) []Defect {
	var joined []Defect
	for i := 0; i < len(defects); {
		n := i + 1
		for n < len(defects) && defects[n].Mark == defects[i].Mark {
			n++
		}
		if n-i == 1 || r.chance(34) {
			joined = append(joined, defects[i:n]...)
			i = n
			continue
		}
		whole := defects[i].rect()
		for _, d := range defects[i:n] {
			whole = whole.Union(d.rect())
		}
		joined = append(joined, asDefect(defects[i].Class, whole))
		i = n
	}
	return joined
}

// confuse takes one line in six for another, the dark ones more often.
func confuse(r *random, class Class) Class {
	switch {
	case class == BlackLine && r.chance(22):
		return BlackStripe
	case class == BlackStripe && r.chance(18):
		return BlackLine
	case class == Scratch && r.chance(7):
		return BlackLine
	case class == RollerIronSheet && r.chance(8):
		return Scratch
	}
	return class
}

// imagine draws a box on plain texture.
func imagine(r *random, bounds image.Rectangle) Defect {
	class, w, h := BlackStripe, r.between(180, 500), r.between(14, 34)
	if r.chance(40) {
		class, w, h = ScalePit, r.between(60, 160), r.between(40, 90)
	}
	w, h = min(w, bounds.Dx()/2), min(h, bounds.Dy()/2)
	x, y := r.between(0, bounds.Dx()-w), r.between(0, bounds.Dy()-h)
	return asDefect(class, image.Rect(x, y, x+w, y+h))
}
