-- luacheck: stock Lua 5.4 everywhere, busted's words in the specs.
std = "lua54"
max_line_length = 80
max_cyclomatic_complexity = 20
codes = true
exclude_files = { "build" }
files["spec"] = { std = "lua54+busted" }
