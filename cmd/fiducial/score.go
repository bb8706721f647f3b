package main

type scoreCommand struct {
	Agreement scoreAgreementCommand `cmd:"" help:"Say how far raters agree on the same units."`
	Speech    scoreSpeechCommand    `cmd:"" help:"Say how far recognized texts are from what was said."`
}
