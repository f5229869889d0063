# aioctl_c_spec(NAME SOURCES...): one C test program, one ctest entry.
function(aioctl_c_spec name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE aioctl_core aioctl_test_main aioctl_flags)
  add_test(NAME core.${name} COMMAND ${name})
  set_tests_properties(core.${name} PROPERTIES
    SKIP_RETURN_CODE 77 TIMEOUT 120 LABELS core)
endfunction()
