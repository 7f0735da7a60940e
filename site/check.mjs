// Follows each link of the built site to a file in it, and to the heading there, and looks for templates that were not filled in:
//   node check.mjs DIRECTORY
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const root = resolve(process.argv[2])
const base = process.env.SITE_BASE ?? '/'
const pages = readdirSync(root, { recursive: true }).filter((name) => name.endsWith('.html'))
const text = (name) => readFileSync(join(root, name), 'utf8')
const ids = new Map(pages.map((name) => [name, new Set([...text(name).matchAll(/\sid="([^"]*)"/g)].map((m) => m[1]))]))

let links = 0
let broken = 0
for (const page of pages) {
  if (text(page).replace(/<(code|pre)\b[^]*?<\/\1>/g, '').includes('{{')) {
    console.error(`${page}: a template was not filled in`)
    broken++
  }
  for (const [, target] of text(page).matchAll(/\s(?:href|src)="([^"]*)"/g)) {
    if (/^[a-z]+:/.test(target)) continue
    links++
    const [path, anchor] = target.split('#')
    let name = path.startsWith(base) ? path.slice(base.length) : join(dirname(page), path)
    if (path === '') name = page
    if (name === '' || name.endsWith('/')) name += 'index.html'
    if (!existsSync(join(root, name)) || (anchor && ids.has(name) && !ids.get(name).has(decodeURIComponent(anchor)))) {
      console.error(`${page}: ${target} leads nowhere`)
      broken++
    }
  }
}
console.log(`${pages.length} pages, ${links} links, ${broken} broken`)
process.exit(broken || !pages.length ? 1 : 0)
