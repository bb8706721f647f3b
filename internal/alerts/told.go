package alerts

import "strings"

// Told is what is sent to a channel: a line, and sentences below it.
type Told struct {
	Title     string
	Sentences []string
}

// Text is all of it as plain text, with the address of its page.
func (t Told) Text(link string) string {
	return t.Title + "\n\n" + strings.Join(t.Sentences, "\n") + "\n\n" + link + "\n"
}

// slackEscapes are the three characters that Slack's markup wants escaped.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Slack is the body that Slack's incoming webhooks take, and with them Mattermost's, Rocket.Chat's and others'.
func (t Told) Slack(link string) map[string]string {
	lines := []string{"*" + slackEscapes.Replace(t.Title) + "*"}
	for _, line := range t.Sentences {
		lines = append(lines, "• "+slackEscapes.Replace(line))
	}
	lines = append(lines, "<"+link+"|Look at it>")
	return map[string]string{"text": strings.Join(lines, "\n")}
}
