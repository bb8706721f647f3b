// A real sentiment model behind plain JSON: POST {"id","text"} answers {"label","confidence"} with label pos, neg or neu.
//
//	node server.mjs vader|wink PORT [MILLISECONDS]
//
// vader goes by a lexicon made for short messages, wink by a model of English with negation. GET answers when the model is loaded,
// and each question after so many milliseconds.
import { createServer } from "node:http"
import { createRequire } from "node:module"

const require = createRequire(import.meta.url)

// Each reads a text and returns how it feels, from -1 to 1.
const models = {
	vader() {
		const { SentimentIntensityAnalyzer } = require("vader-sentiment")
		return text => SentimentIntensityAnalyzer.polarity_scores(text).compound
	},
	wink() {
		const nlp = require("wink-nlp")(require("wink-eng-lite-web-model"))
		return text => nlp.readDoc(text).out(nlp.its.sentiment)
	},
}
// From where on a feeling is one.
const limits = { vader: 0.35, wink: 0.2 }

const [name, port, delay] = process.argv.slice(2)
if (!models[name] || !Number(port)) {
	console.error("usage: node server.mjs vader|wink PORT [MILLISECONDS]")
	process.exit(2)
}
const feels = models[name](), limit = limits[name]

// sentiment is the label of a text, surer the further it is from the limit between feeling something and nothing.
function sentiment(text) {
	const feeling = text.trim() === "" ? 0 : feels(text)
	const label = feeling >= limit ? "pos" : feeling <= -limit ? "neg" : "neu"
	const far = label === "neu" ? 1 - Math.abs(feeling) / limit : (Math.abs(feeling) - limit) / (1 - limit)
	return { label, confidence: 0.5 + far / 2 }
}

async function body(request) {
	let text = ""
	for await (const part of request.setEncoding("utf8")) text += part
	return text
}

const server = createServer(async (request, response) => {
	const send = (status, value) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value))
	if (request.method !== "POST") return send(200, { model: name })
	let asked
	try {
		asked = JSON.parse(await body(request))
	} catch {
		return send(400, { error: "The body is not JSON." })
	}
	if (typeof asked?.text !== "string") return send(400, { error: "There is no text." })
	if (delay) await new Promise(done => setTimeout(done, Number(delay)))
	send(200, sentiment(asked.text))
})
server.listen(Number(port), "127.0.0.1", () => console.log(`${name} listens on ${port}`))
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.close(() => process.exit(0)).closeAllConnections())
