package agreement

// CohenKappa is Cohen's kappa of two raters' labels of the same units: the share of agreement beyond chance, by each rater's own
// share of each label (Cohen 1960). NaN where chance alone agrees always, or there is no unit. The slices are equally long.
func CohenKappa[T comparable](a, b []T) float64 {
	type count struct{ a, b int }
	counts := map[T]count{}
	agreed := 0
	for i := range a {
		if a[i] == b[i] {
			agreed++
		}
		c := counts[a[i]]
		c.a++
		counts[a[i]] = c
		c = counts[b[i]]
		c.b++
		counts[b[i]] = c
	}
	both := 0.0
	for _, c := range counts {
		both += float64(c.a) * float64(c.b)
	}
	return cohen(float64(len(a)), float64(agreed), both)
}

// cohen is kappa from the number of units, of agreements, and the sum over labels of the product of the raters' counts.
func cohen(units, agreed, products float64) float64 {
	observed, chance := agreed/units, products/(units*units)
	return (observed - chance) / (1 - chance)
}

// FleissKappa is Fleiss' kappa: rows are units, columns categories, each cell how many raters said so (Fleiss 1971). Units may have
// unequally many ratings; those with fewer than two count for nothing. NaN where it is not defined.
func FleissKappa(counts [][]int) float64 {
	var units, agreement, ratings float64
	var categories []float64
	for _, row := range counts {
		n, squares := 0, 0
		for _, c := range row {
			n += c
			squares += c * c
		}
		if n < 2 {
			continue
		}
		units++
		ratings += float64(n)
		agreement += float64(squares-n) / float64(n*(n-1))
		if len(row) > len(categories) {
			categories = append(categories, make([]float64, len(row)-len(categories))...)
		}
		for i, c := range row {
			categories[i] += float64(c)
		}
	}
	squares := 0.0
	for _, c := range categories {
		squares += c * c
	}
	return fleiss(units, agreement, ratings, squares)
}

// fleiss is kappa from the number of units, the sum of their shares of agreeing pairs, the number of ratings, and the sum of the
// squares of how often each category was said.
func fleiss(units, agreement, ratings, squares float64) float64 {
	observed, chance := agreement/units, squares/(ratings*ratings)
	return (observed - chance) / (1 - chance)
}
