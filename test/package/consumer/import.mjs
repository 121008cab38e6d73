import * as bailiwick from 'bailiwick'
import job from './job.cjs'

await job(bailiwick)
