#!/usr/bin/env node
/** Builds dist with the compiler alone: Convex bundles components itself and wants one file for each module. */
import { rm } from 'node:fs/promises'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureProtocol } from './ensure-protocol.mjs'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')

ensureProtocol()
await rm(path.join(root, 'dist'), { recursive: true, force: true })
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
