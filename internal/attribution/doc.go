// Package attribution says what a figure is due to: the model, or what it was measured by.
package attribution
