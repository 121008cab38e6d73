import { useState } from 'react'
import { api, type Person } from './api.ts'

/** The form to sign in. */
export function SignIn({ onSignedIn }: { onSignedIn: (person: Person) => void }) {
  const [problem, setProblem] = useState('')
  const signIn = (form: FormData) =>
    api.signIn(`${form.get('name')}`, `${form.get('password')}`).then(onSignedIn, ({ message }) => setProblem(message))
  return (
    <main className="sign-in">
      <h1>Sign in</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void signIn(new FormData(event.currentTarget))
        }}
      >
        <label>
          Name
          <input name="name" autoComplete="username" required />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <button type="submit">Sign in</button>
        {problem !== '' && <p role="alert">{problem}</p>}
      </form>
    </main>
  )
}
