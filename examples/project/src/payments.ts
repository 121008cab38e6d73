// Stands for a payment service. Call yours here, and give it the key: then it charges once, however often it is asked.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

const file = 'charges.txt'

export interface Charge {
  customer: string
  euros: number
}

/** Charges once for each key, as payment services do. */
export function pay({ customer, euros }: Charge, key: string) {
  const isRepeated = existsSync(file) && readFileSync(file, 'utf8').includes(key)
  if (!isRepeated) appendFileSync(file, `${key} ${customer} ${euros} euros\n`)
  return { customer, euros, isRepeated }
}
