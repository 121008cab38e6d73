import type { UIMessage } from 'ai'
import { notFound, redirect } from 'next/navigation'
import { Chat } from '../../../components/chat.tsx'
import { caller } from '../../../lib/caller.ts'
import { readChat } from '../../../lib/chats.ts'

interface Props {
  readonly params: Promise<{ id: string }>
  readonly searchParams: Promise<{ new?: string }>
}

/** A chat with what is in its thread. `?new`: it may have no messages yet. */
export default async function ChatPage({ params, searchParams }: Props) {
  const user = await caller()
  if (user === undefined) redirect('/')
  const { id } = await params
  const messages = await readChat(user.runtime, id)
  if (messages === undefined && (await searchParams).new === undefined) notFound()
  return <Chat key={id} id={id} initial={(messages ?? []) as UIMessage[]} />
}
