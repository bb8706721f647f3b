package steel

import "embed"

// Definition is a class as the defect book explains it.
type Definition struct {
	Class    Class
	Name     string
	Markdown string
	// ConfusedWith are the classes that people take for this one.
	ConfusedWith []Class
}

//go:embed definitions/*.md
var texts embed.FS

// Definitions returns the six classes in the order of the defect book.
func Definitions() []Definition {
	book := []Definition{
		{Class: Scratch, Name: "Scratch", ConfusedWith: []Class{BlackLine, RollerIronSheet}},
		{Class: BlackLine, Name: "Black line", ConfusedWith: []Class{BlackStripe, Scratch}},
		{Class: BlackStripe, Name: "Black stripe", ConfusedWith: []Class{BlackLine}},
		{Class: RollerIronSheet, Name: "Roller iron sheet", ConfusedWith: []Class{Scratch, ScalePit}},
		{Class: ScalePit, Name: "Scale pit", ConfusedWith: []Class{RollerIronSheet}},
		{Class: EdgeCrack, Name: "Edge crack", ConfusedWith: []Class{BlackLine, Scratch}},
	}
	for i := range book {
		text, err := texts.ReadFile("definitions/" + string(book[i].Class) + ".md")
		if err != nil {
			panic(err) // A class without a text does not pass the tests.
		}
		book[i].Markdown = string(text)
	}
	return book
}
