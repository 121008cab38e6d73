import Link from 'next/link'
import { caller } from '../lib/caller.ts'
import { listChats } from '../lib/chats.ts'
import { beginChat, signIn } from './actions.ts'

export default async function Home({ searchParams }: { searchParams: Promise<{ wrong?: string }> }) {
  const user = await caller()
  if (user === undefined) return <SignIn isWrong={(await searchParams).wrong !== undefined} />
  return (
    <>
      <h1>Chats of {user.tenant}</h1>
      <form action={beginChat}>
        <button type="submit">New chat</button>
      </form>
      <ul>
        {(await listChats(user.runtime)).map(({ id, title, startedBy }) => (
          <li key={id}>
            <Link href={`/chat/${id}`}>{title}</Link> by {startedBy}
          </li>
        ))}
      </ul>
    </>
  )
}

function SignIn({ isWrong }: { isWrong: boolean }) {
  return (
    <>
      <h1>Sign in</h1>
      <form action={signIn}>
        <label>
          Name <input name="name" autoComplete="username" required />
        </label>
        <label>
          Password <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <button type="submit">Sign in</button>
      </form>
      {isWrong && <p role="alert">There is no such user, or the password is another one.</p>}
      <p>
        Try <b>kim</b> with <code>kim-demo</code> or <b>lee</b> with <code>lee-demo</code>, who work for acme, and{' '}
        <b>robin</b> with <code>robin-demo</code>, who works for globex.
      </p>
    </>
  )
}
