package main

// script is a telephone call as it is spoken. Everybody in it, with every number and street, is invented.
type script struct {
	name          string
	agent, caller voice
	noise         float64 // of the caller's line, from 0
	turns         []turn
}

// voice is how somebody speaks.
type voice struct {
	name         string // of the synthesizer
	speed, pitch int
}

// turn is what somebody says before the other answers. Channel 1 is the agent's, 2 the caller's. overlap is for how long it runs into what was
// said before, in seconds; where it is below 0, for how much longer than usual the line is quiet before it. moments are the classes that it is an example of.
type turn struct {
	channel int
	text    string
	overlap float64
	moments []string
}

// The classes of moments.
const (
	question = "question"
	action   = "action"
	negative = "negative"
	positive = "positive"
)

func says(channel int, text string, moments ...string) turn {
	return turn{channel: channel, text: text, moments: moments}
}

// after is a turn that comes so many seconds later than it would.
func (t turn) after(seconds float64) turn { return t.early(-seconds) }

func (t turn) early(seconds float64) turn {
	t.overlap = seconds
	return t
}

// scripts are the calls: three of some minutes, and three short ones.
var scripts = []script{
	delivery, appointment, invoice,
	{
		name: "call-04", agent: voice{"en-gb", 172, 60}, caller: voice{"en-us-nyc", 185, 46}, noise: 0.01,
		turns: []turn{
			says(1, "Care line, this is Samira. How can I help?", question),
			says(2, "Hi, the alarm button of my father does not work any more. The light is red all the time.", negative),
			says(1, "Is he all right at the moment?", question),
			says(2, "He is fine, he is sitting right next to me."),
			says(1, "Good. Please press the button for five seconds and let go."),
			says(2, "Okay, hold on. Nothing. It is still red.", negative).early(0.2),
			says(1, "Then the battery is empty. I will send a technician this afternoon.", action),
			says(2, "When exactly? Somebody has to open the door for him.", question),
			says(1, "Between two and four. Who will be there to open?", question),
			says(2, "My brother Daniel. His number is five five five, oh one, four two."),
			says(1, "I have written that down. The technician will call Daniel first.", action),
			says(2, "Perfect, thanks a lot, that is a relief.", positive),
		},
	},
	{
		name: "call-05", agent: voice{"en-us", 166, 48}, caller: voice{"en-gb-x-gbclan", 150, 54}, noise: 0.004,
		turns: []turn{
			says(1, "Care line, good morning, Oliver speaking."),
			says(2, "Good morning. I would like to know which foods my husband may eat after his operation.", question),
			says(1, "I cannot give medical advice, but I can have a nurse call you.", action),
			says(2, "That would be lovely. He comes home tomorrow and I am rather worried.", negative),
			says(1, "May I have your name and your number?", question),
			says(2, "Agnes Thornbury. Thornbury with a y at the end. Oh one six three two, nine six oh, seven one one."),
			says(1, "Thank you, Misses Thornbury. A nurse will ring you between three and five.", action),
			says(2, "Does that cost anything?", question).early(0.3),
			says(1, "No, it is part of your plan."),
			says(2, "Oh, that is good to hear. Thank you, dear.", positive),
			says(1, "My pleasure. All the best for your husband.", positive),
		},
	},
	{
		name: "call-06", agent: voice{"en-gb-x-gbcwmd", 170, 44}, caller: voice{"en-us", 190, 62}, noise: 0.008,
		turns: []turn{
			says(1, "Care line, Gareth speaking. What is it about?", question),
			says(2, "I have been waiting on this line for forty minutes. This is ridiculous!", negative),
			says(1, "I am sorry about that. We are short of people today."),
			says(2, "I just want to cancel the meals for next week. We are on holiday.").early(0.4),
			says(1, "I can do that for you. From which day?", question, action),
			says(2, "From Monday the sixth until Sunday the twelfth."),
			says(1, "The meals are cancelled from the sixth to the twelfth. Shall I send you a confirmation?", action, question),
			says(2, "Yes, to lucy dot marchetti at example dot com."),
			says(1, "Done. Is there anything else, Miss Marchetti?", question),
			says(2, "No, that was all. At least that was quick.", positive),
			says(1, "Enjoy your holiday. Goodbye.", positive),
		},
	},
}
