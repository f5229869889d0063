# Writes a C file with each script under ROOT and EXTRA as a byte array, and one
# table:
#   const AioctlEmbedded aioctl_embedded[] = {{"aio/block.lua", data, size}}
set(pairs "")
foreach(root ${ROOT} ${EXTRA})
  file(GLOB_RECURSE paths RELATIVE ${root} ${root}/*.lua)
  foreach(path ${paths})
    list(APPEND pairs "${path}|${root}")
  endforeach()
endforeach()
list(SORT pairs)
set(arrays "")
set(rows "")
set(n 0)
foreach(pair ${pairs})
  string(REGEX REPLACE "\\|.*" "" path "${pair}")
  string(REGEX REPLACE ".*\\|" "" root "${pair}")
  file(READ ${root}/${path} hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays
    "static const unsigned char script_${n}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${path}\", script_${n}, ${size}},\n")
  math(EXPR n "${n} + 1")
endforeach()
file(WRITE ${OUT}.tmp
  "#include \"embedded.h\"\n\n${arrays}\n"
  "const AioctlEmbedded aioctl_embedded[] = {\n${rows}    {0, 0, 0},\n};\n")
file(RENAME ${OUT}.tmp ${OUT})
