package main

type scoreCommand struct {
	Agreement scoreAgreementCommand `cmd:"" help:"Say how far raters agree on the same units."`
}
