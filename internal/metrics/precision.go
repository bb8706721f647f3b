package metrics

import "math"

// recallPoints are where precision is read off: 0, 0.01, … 1.
var recallPoints = spaced(0, 1, points)

const points = 101

// recall is the share of the objects that were found at a threshold among the surest most detections of each image.
func (c *detectedClass) recall(size, threshold, most int) float64 {
	if c.objects[size] == 0 {
		return math.NaN()
	}
	right := 0
	for i := range c.found {
		b := &c.found[i]
		if int(b.rank) < most && b.matched[size]&^b.ignored[size]>>threshold&1 != 0 {
			right++
		}
	}
	return float64(right) / float64(c.objects[size])
}

// precision is the average, over recallPoints, of the best precision at that recall or beyond; c.found is sorted by score.
func (c *detectedClass) precision(size, threshold int) float64 {
	objects := c.objects[size]
	if objects == 0 {
		return math.NaN()
	}
	// The precision at each right detection, which is where it is best for its recall.
	c.curve = c.curve[:0]
	right, wrong := 0, 0
	for i := range c.found {
		b := &c.found[i]
		if b.ignored[size]>>threshold&1 != 0 {
			continue
		}
		if b.matched[size]>>threshold&1 == 0 {
			wrong++
			continue
		}
		right++
		c.curve = append(c.curve, float64(right)/(float64(wrong+right)+epsilon))
	}
	for i := len(c.curve) - 1; i > 0; i-- {
		c.curve[i-1] = max(c.curve[i-1], c.curve[i])
	}
	sum, at := 0.0, 0
	for _, point := range recallPoints {
		for at < len(c.curve) && float64(at+1)/float64(objects) < point {
			at++
		}
		if at == len(c.curve) {
			break
		}
		sum += c.curve[at]
	}
	return sum / float64(len(recallPoints))
}

// epsilon keeps the reference scorer from dividing by zero; it is part of its figures.
const epsilon = 0x1p-52
