import type { Metadata } from 'next'
import Link from 'next/link'
import type { ReactNode } from 'react'
import { caller } from '../lib/caller.ts'
import { signOut } from './actions.ts'
import './globals.css'

export const metadata: Metadata = { title: 'Flower shop' }

export default async function Layout({ children }: { children: ReactNode }) {
  const user = await caller()
  return (
    <html lang="en">
      <body>
        <header>
          <Link href="/">Flower shop</Link>
          {user && (
            <form action={signOut}>
              {user.name} of {user.tenant} <button type="submit">Sign out</button>
            </form>
          )}
        </header>
        <main>{children}</main>
      </body>
    </html>
  )
}
