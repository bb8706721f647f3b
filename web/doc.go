// Package web renders typed views as HTML. It decides nothing: handlers fill the views, and what a
// view does not hold is not shown.
package web
