import { useCallback, useEffect, useMemo, useState } from 'react'
import { api, type ChatSummary, type Person } from './api.ts'
import { followChanges } from './changes.ts'
import { Conversation } from './conversation.ts'
import { SignIn } from './sign-in.tsx'
import { Thread } from './thread.tsx'

const LONGEST_TITLE = 40

/** The page: signing in, or the chats of the person who is signed in. */
export function App() {
  const [person, setPerson] = useState<Person | 'unknown' | undefined>('unknown')
  useEffect(() => {
    void api.whoAmI().then(setPerson)
  }, [])
  if (person === 'unknown') return null
  if (person === undefined) return <SignIn onSignedIn={setPerson} />
  return <Chats person={person} onSignedOut={() => setPerson(undefined)} />
}

/** The chat that the address names after its `#`, and whether this page has begun it. */
function useChatOfAddress() {
  const [begun] = useState(() => new Set<string>())
  const begin = useCallback(() => {
    const id = crypto.randomUUID()
    begun.add(id)
    location.hash = id
    return id
  }, [begun])
  const [id, setId] = useState(() => location.hash.slice(1) || begin())
  useEffect(() => {
    const follow = () => setId(location.hash.slice(1) || begin())
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [begin])
  return { id, isNew: begun.has(id), begin }
}

function Chats({ person, onSignedOut }: { person: Person; onSignedOut: () => void }) {
  const { id, isNew, begin } = useChatOfAddress()
  const [chats, setChats] = useState<readonly ChatSummary[]>([])
  const [problem, setProblem] = useState('')
  const conversation = useMemo(() => new Conversation(id, isNew), [id, isNew])

  useEffect(() => {
    setProblem('')
    conversation.onRefused = ({ status, message }) => {
      if (status === 401) onSignedOut()
      setProblem(status === 404 ? 'There is no such chat.' : message)
    }
    const list = () => void api.chats().then(setChats, () => undefined)
    const stop = followChanges({
      onConnected() {
        list()
        void conversation.sync()
      },
      onChange(change) {
        list()
        if (change.threadId === conversation.chat.id) void conversation.notice(change)
      },
      onRefused: () => void conversation.sync(),
    })
    return () => {
      stop()
      void conversation.close()
    }
  }, [conversation, onSignedOut])

  return (
    <div className="chats">
      <nav aria-label="Chats">
        <p>
          {person.name} of {person.tenant}
        </p>
        <button type="button" onClick={begin}>
          New chat
        </button>
        <ul>
          {chats.map((chat) => (
            <li key={chat.id}>
              <a href={`#${chat.id}`} aria-current={chat.id === id ? 'page' : undefined}>
                {chat.title.slice(0, LONGEST_TITLE) || 'A file'}
              </a>
            </li>
          ))}
        </ul>
        <button type="button" onClick={() => void api.signOut().then(onSignedOut)}>
          Sign out
        </button>
      </nav>
      {problem === '' ? <Thread key={id} conversation={conversation} /> : <p role="alert">{problem}</p>}
    </div>
  )
}
