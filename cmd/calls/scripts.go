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
// said before, in seconds. moments are the classes that it is an example of.
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

func (t turn) early(seconds float64) turn {
	t.overlap = seconds
	return t
}

var scripts = []script{
	{
		name: "call-01", agent: voice{"en-gb", 165, 52}, caller: voice{"en-us", 172, 36}, noise: 0.002,
		turns: []turn{
			says(1, "Good morning, care line, this is Hanna speaking. How can I help you?", question),
			says(2, "Hello, my name is Peter Bramwell. My walking aid was supposed to come on Monday and it still is not here.", negative),
			says(1, "I am sorry to hear that, Mister Bramwell. Can you give me your customer number, please?", question),
			says(2, "Yes, it is four seven one, double two, nine."),
			says(1, "Thank you. And a telephone number where the driver can reach you?", question),
			says(2, "Oh two oh seven, nine four six, oh one five eight.").early(0.3),
			says(1, "I can see it now. The parcel is still in the depot. I will have it sent out today.", action),
			says(2, "Today? Last week they said the same thing, and nobody came.", negative, question),
			says(1, "I understand. I will call the depot myself and ring you back before noon.", action),
			says(2, "All right, that would be very kind. Thank you, Hanna.", positive),
			says(1, "You are welcome. Goodbye."),
		},
	},
	{
		name: "call-02", agent: voice{"en-us", 170, 58}, caller: voice{"en-gb-scotland", 158, 44}, noise: 0.006,
		turns: []turn{
			says(1, "Care line, Marcus speaking, what can I do for you?", question),
			says(2, "I need to move my appointment with the nurse. It is about my mother, Eleanor Fairley."),
			says(1, "Of course. When is the appointment?", question),
			says(2, "On Thursday at half past nine, but she has to be at the hospital then."),
			says(1, "Would Friday at eleven suit her?", question).early(0.4),
			says(2, "No, Friday is no good, we are away until Sunday."),
			says(1, "Then Monday at ten. I will put that down for Misses Fairley.", action),
			says(2, "Monday is fine. Could you tell the nurse to ring the bell twice? She does not hear well.", question, action),
			says(1, "I will add a note. Is the address still twelve Orchard Lane?", question, action),
			says(2, "Yes, that is right. You have been very helpful.", positive),
			says(1, "Have a good day, and safe travels.", positive),
		},
	},
	{
		name: "call-03", agent: voice{"en-gb-x-rp", 168, 50}, caller: voice{"en-029", 160, 40}, noise: 0.003,
		turns: []turn{
			says(1, "Good afternoon, care line, you are speaking with Ruth."),
			says(2, "The invoice for March is wrong. You have charged me twice for the same visit!", negative),
			says(1, "Let me have a look. Which invoice is it?", question),
			says(2, "The number is six one eight, dash, three three five."),
			says(1, "I see two visits on the ninth of March, one in the morning and one in the evening."),
			says(2, "There was nobody here in the evening. I was at my sister's until late.", negative).early(0.5),
			says(1, "Then that was a mistake of ours. I will take the second visit off.", action),
			says(2, "And do I get the money back?", question),
			says(1, "Yes, within five working days, to the account that ends with forty two.", action),
			says(2, "Good. My name is Winston Alleyne, in case anybody asks."),
			says(1, "Thank you, Mister Alleyne. I am sorry for the trouble.", positive),
			says(2, "It is all right. Thank you for sorting it out.", positive),
		},
	},
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
