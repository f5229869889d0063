--- described - the documentation as it stands in the sources
package.path = "cmake/?.lua;scripts/?.lua;" .. package.path

local collect = require "doc.collect"
local model = require "aio.doc.model"

return model.new(collect.data("."))
