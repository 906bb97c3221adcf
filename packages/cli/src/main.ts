#!/usr/bin/env node
/** The command `kinora`. */
import { runProgram } from './program.ts'

process.exitCode = await runProgram(process)
