# What Debian wants of a package beyond what is installed: a copyright file, a
# changelog, compressed manual pages.  Run by CPack between both.
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr)
set(doc ${root}/share/doc/aioctl)
file(READ ${doc}/LICENSE licence)
string(REGEX MATCH "Copyright[^\n]*" copyright "${licence}")
file(WRITE ${doc}/copyright "This package was built from its sources by \
CPack.\n\nFiles: *\n${copyright}\nLicense: MIT\n\n${licence}")
file(REMOVE ${doc}/LICENSE)
execute_process(COMMAND date -R OUTPUT_VARIABLE date
  OUTPUT_STRIP_TRAILING_WHITESPACE)
file(WRITE ${doc}/changelog "aioctl (${CPACK_PACKAGE_VERSION}) unstable; \
urgency=medium\n\n  * See CHANGELOG.md.\n\n -- \
${CPACK_PACKAGE_CONTACT}  ${date}\n")
file(GLOB_RECURSE pages ${root}/share/man/*.[1-9]*)
execute_process(COMMAND gzip -9nf ${doc}/changelog ${pages}
  COMMAND_ERROR_IS_FATAL ANY)
file(GLOB_RECURSE files ${root}/share/* ${root}/include/*)
execute_process(COMMAND chmod 644 ${files} COMMAND_ERROR_IS_FATAL ANY)
