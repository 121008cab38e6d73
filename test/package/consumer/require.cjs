require('./job.cjs')(require('bailiwick'))
