package main

type scoreCommand struct {
	Detection      scoreDetectionCommand      `cmd:"" help:"Say how well objects were found: COCO's twelve figures, and each class's."`
	Speech         scoreSpeechCommand         `cmd:"" help:"Say how far recognized texts are from what was said."`
	Classification scoreClassificationCommand `cmd:"" help:"Say how well labels were predicted."`
	Agreement      scoreAgreementCommand      `cmd:"" help:"Say how far raters agree on the same units."`
}
