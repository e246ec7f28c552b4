// How a client here talks with the test that runs it: each line is JSON. First
// comes its part; then it sends a person somewhere and hears where the browser
// came back; its last word is what it learned.
import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function hear() {
  const { value, done } = await lines.next()
  if (done) throw new Error('the test said no more')
  return JSON.parse(value)
}

function say(word) {
  process.stdout.write(JSON.stringify(word) + '\n')
}

export const part = await hear()

export async function person(url) {
  say(url.href)
  return new URL(await hear())
}

export function learned(facts) {
  say(facts)
}
