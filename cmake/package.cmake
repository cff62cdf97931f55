# Two Debian packages. etude: the client, the coordinator and the worker, with units and settings. etude-trainer: the one
# program that needs LibTorch, and the LibTorch it was built with. After `cmake --build --preset programs`, in the root:
#   cpack --config build/CPackConfig.cmake        leaves them in build/packages
if(NOT (TARGET etude AND TARGET etude-coordinator AND TARGET etude-worker AND TARGET etude-trainer))
  return()
endif()
if(TARGET torch_cuda)
  message(STATUS "No packages from this build: CUDA's libraries are loaded by name at run time and cannot be carried.")
  return()
endif()

# cpack packs what is built, and builds nothing.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

install(TARGETS etude etude-coordinator etude-worker RUNTIME DESTINATION bin COMPONENT etude)
install(FILES deploy/systemd/etude-coordinator.service deploy/systemd/etude-worker.service
        DESTINATION /lib/systemd/system COMPONENT etude)
install(FILES deploy/systemd/etude.sysusers DESTINATION lib/sysusers.d RENAME etude.conf COMPONENT etude)
install(FILES configs/coordinator.toml configs/worker.toml DESTINATION /etc/etude COMPONENT etude)
install(DIRECTORY configs/sweeps DESTINATION share/doc/etude/examples COMPONENT etude)
install(FILES README.md ARCHITECTURE.md SECURITY.md CITATION.cff DESTINATION share/doc/etude COMPONENT etude)
install(FILES LICENSE DESTINATION share/doc/etude RENAME copyright COMPONENT etude)

# Whatever of the trainer's libraries is not the distribution's is carried, byte for byte: each finds the others beside it.
set_target_properties(etude-trainer PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/etude")
install(TARGETS etude-trainer RUNTIME_DEPENDENCY_SET carried RUNTIME DESTINATION bin COMPONENT trainer)
install(RUNTIME_DEPENDENCY_SET carried POST_EXCLUDE_REGEXES "^/(usr/)?lib" LIBRARY DESTINATION lib/etude COMPONENT trainer)

# One file with every licence: slim images drop all else from /usr/share/doc. PyTorch's lie in its wheel's metadata.
set(trainer_copyright ${CMAKE_BINARY_DIR}/packaging/copyright.trainer)
set(torch_metadata ${TORCH_INSTALL_PREFIX}/../torch-*.dist-info)
file(GLOB torch_licences ${TORCH_INSTALL_PREFIX}/LICENSE* ${TORCH_INSTALL_PREFIX}/NOTICE* ${torch_metadata}/LICENSE*)
file(GLOB_RECURSE torch_parts_licences ${torch_metadata}/licenses/*)
configure_file(deploy/debian/copyright.trainer ${trainer_copyright} COPYONLY)
foreach(licence IN LISTS torch_licences torch_parts_licences)
  string(REGEX REPLACE ".*/(licenses|torch[^/]*)/" "" name ${licence})
  file(READ ${licence} text)
  file(APPEND ${trainer_copyright} "\n---- PyTorch, ${name}\n${text}")
endforeach()
install(FILES ${trainer_copyright} DESTINATION share/doc/etude-trainer RENAME copyright COMPONENT trainer)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packaging)
set(CPACK_OUTPUT_FILE_PREFIX ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGE_VENDOR "The Etude authors")
set(CPACK_PACKAGE_CONTACT "The Etude authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Scaling-law studies of language models on symbolic music")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_THREADS 0)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/package_tree.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL etude trainer)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)  # 14 s and 98 MiB; xz takes 110 s for 70 MiB
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${TORCH_INSTALL_PREFIX}/lib)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_ETUDE_PACKAGE_NAME etude)
set(CPACK_COMPONENT_ETUDE_DESCRIPTION
"A coordinator schedules sweeps of training runs on workers and keeps every
loss; the client plans them, fits the laws and predicts. With systemd units,
which are neither enabled nor started.")
set(CPACK_DEBIAN_ETUDE_PACKAGE_DEPENDS passwd)
set(CPACK_DEBIAN_ETUDE_PACKAGE_RECOMMENDS "etude-trainer (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_ETUDE_PACKAGE_SUGGESTS python3-pip)
set(CPACK_DEBIAN_ETUDE_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/deploy/debian/conffiles ${PROJECT_SOURCE_DIR}/deploy/debian/postinst
    ${PROJECT_SOURCE_DIR}/deploy/debian/prerm ${PROJECT_SOURCE_DIR}/deploy/debian/postrm)

set(CPACK_DEBIAN_TRAINER_PACKAGE_NAME etude-trainer)
set(CPACK_COMPONENT_TRAINER_DESCRIPTION
"The program that a worker starts to train a model, and the LibTorch it was
built with.")
set(CPACK_DEBIAN_TRAINER_PACKAGE_DEPENDS "etude (= ${PROJECT_VERSION})")
include(CPack)
