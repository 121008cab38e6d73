import type { Language } from './javascript.ts'

/** The README of a new project. */
export function readme(name: string, language: Language): string {
  const isTyped = language === 'typescript'
  const end = isTyped ? 'ts' : 'js'
  const built = isTyped ? ' The compiler checks the types first and writes `dist`.' : ''
  return `# ${name}

An agent whose tool needs approval, and whose runs survive \`kill -9\`; a test of it; and a server for many tenants.

| command | does |
| --- | --- |
| \`npm install\` | installs what \`package.json\` names |
| \`npm start\` | asks the agent to charge a customer, or goes on with what is open: see below |
| \`npm test\` | runs \`src/*.test.${end}\` on a store in memory, with a scripted model |
| \`npm run server\` | serves the agent over HTTP on port 8787; \`PORT\` names another |
${isTyped ? '| `npm run types` | checks the types and writes nothing |\n' : ''}
All of it runs without a key, because a script stands for the model.${built}

## A run that survives

    npm start    # suspended: a person has to approve the charge, and the process has ended
    npm start    # lee approves; the tool charges, and the process is killed before it can store that
    npm start    # a new process resumes the run; \`charges.txt\` has one charge

Whatever happened is on a local page: \`npx bailiwick inspect ./data --tenant acme\`.

## The server

\`npm run server\`, and in another shell:

    curl -N localhost:8787/chat -H 'Authorization: Bearer demo-lee' -d '{"id":"chat-1","message":"Charge kim 42 euros"}'
    curl localhost:8787/approvals -H 'Authorization: Bearer demo-lee'
    curl localhost:8787/approvals/approval_… -H 'Authorization: Bearer demo-lee' -d '{"decision":"approve"}'
    curl localhost:8787/chat/chat-1 -H 'Authorization: Bearer demo-lee'

| route | does |
| --- | --- |
| \`POST /chat\` | begins a run in the chat \`id\` with \`message\`, or with \`messages\` of \`useChat\`, and streams the answer as \`useChat\` reads it |
| \`GET /chat/:id\` | the messages of a chat |
| \`GET /chat/:id/stream\` | the run in progress, from its beginning (\`useChat({ resume: true })\`), or the status 204 |
| \`GET /approvals\` | what waits for a decision |
| \`POST /approvals/:id\` | decides: \`{"decision":"approve"}\`, or \`"reject"\` with a \`reason\`. The run goes on by itself |

Kill the server at any time, also with \`kill -9\`: once it is started again, it goes on with every run. While an approval of a chat is open, the
chat takes no other message (status 409). \`demo-ann\` is a person of another tenant and finds nothing of this.

**Sign-in is yours.** \`src/sign-in.${end}\` says whose token a request has. Its tokens are for trying it out, so with \`NODE_ENV=production\` it refuses
to answer. The tenant must come from what you have verified and from nothing else in a request.

## A real model

Install a provider of the AI SDK, and name the model:

    npm install @ai-sdk/anthropic
    MODEL=anthropic/claude-sonnet-4-5 ANTHROPIC_API_KEY=… npm start

The same with \`@ai-sdk/openai\` (\`OPENAI_API_KEY\`) and \`@ai-sdk/google\` (\`GOOGLE_GENERATIVE_AI_API_KEY\`). \`src/models.${end}\` loads the provider. To use another
one of the [AI SDK](https://ai-sdk.dev/providers) whose package exports it under the package's name, such as \`mistral\`, \`groq\` or \`xai\`, add the variable of its key
there. For packages with other exports, such as \`@ai-sdk/amazon-bedrock\` and \`@ai-sdk/google-vertex\`, import the provider in
\`loadModels\` and return it: \`{ bedrock: fromAiSdk(bedrock) }\`, for \`MODEL=bedrock/…\`.

## Where things are

| file | holds |
| --- | --- |
| \`src/agents.${end}\` | the tool and the agent |
| \`src/main.${end}\`, \`src/server.${end}\` | the two programs; \`src/http.${end}\` reads and writes what the server needs |
| \`src/payments.${end}\`, \`src/script.${end}\` | stand-ins for what you have: a payment service, a model |
| \`src/models.${end}\`, \`src/sign-in.${end}\` | which model answers, and who asks |
| \`data\` | the store. Each tenant's data is sealed with keys of its own, and \`data/root.key\` wraps those keys |

One process at a time opens \`./data\`: stop the server before \`npm start\`. Before you keep anything that matters, bring a root key of your own with
the environment variable BAILIWICK_ROOT_KEY (32 bytes as base64).

\`npx bailiwick doctor ./data\` reads every record of the store; \`npx bailiwick isolation memory:\` runs the tenant-isolation suite; \`npx bailiwick --help\`
lists the rest.
`
}
