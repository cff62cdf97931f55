# add_module(NAME SRCS ... [DEPS ...] [PRIVATE_DEPS ...]): one library, one room. DEPS are what its headers need,
# PRIVATE_DEPS what only its sources need. Every edge of the house is one of these words.
function(add_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS;PRIVATE_DEPS")
  add_library(${name} STATIC ${arg_SRCS})
  target_link_libraries(${name} PUBLIC etude_flags ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
endfunction()

# add_program(NAME SRCS ... DEPS ...): an executable in build/bin.
function(add_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS")
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE etude_flags ${arg_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  add_dependencies(programs ${name})
endfunction()

# add_room_test(NAME SRCS ... DEPS ... [LABELS ...] [TIMEOUT seconds]): one test binary a room, run by `make test`. Labels:
# unit scenarios component system lint, and threads for what owns threads.
function(add_room_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SRCS;DEPS;LABELS")
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE etude_flags ${arg_DEPS} GTest::gtest_main GTest::gmock)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "ETUDE_PYTHON=${PROJECT_SOURCE_DIR}/.deps/venv/bin/python3;ETUDE_BIN=${CMAKE_BINARY_DIR}/bin")
  if("threads" IN_LIST arg_LABELS)
    add_dependencies(threaded_tests ${name})
  endif()
endfunction()
